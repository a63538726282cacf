/*
 * Looks at the frames of dmabuf's streams, and fills them, from C: without a copy, a build of Node.js or any other library.
 * C99, Linux. Copy this file and dmabuf_visitor.c into your program, or build them by the Makefile. License: MIT, see LICENSE.
 *
 * A stream is served at a place, a path or "@" and an abstract name, by a member of its domain: see docs/protocol.md.
 * A *viewer* reads its frames, a *contributor* fills them.
 *
 * Every call that can fail returns 0 if it has not, or DMABUF_END, or the number of an error as in errno.h; `error`, which may be
 * NULL, then says why in words. Time limits are in milliseconds: less than 0 is none, 0 only looks. A call that has
 * returned ETIMEDOUT can be repeated. A viewer or contributor belongs to one thread at a time.
 *
 * ECONNRESET: the server is gone. EPROTO: it has said what cannot be meant. EACCES: this user may not visit it, or it belongs
 * to a user that is not named. What the server refuses with is an error with its number, too.
 */
#ifndef DMABUF_VISITOR_H
#define DMABUF_VISITOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The stream has ended. */
#define DMABUF_END (-1)

#define DMABUF_MOST_PLACES 32
#define DMABUF_MOST_PLANES 64
#define DMABUF_MOST_DIMENSIONS 32

typedef struct dmabuf_error {
  int code;
  char message[256];
} dmabuf_error;

/* The name of an error's number, as "ETIMEDOUT"; "EIO" for one that streams do not have. */
const char *dmabuf_error_name(int code);

/* How the bytes of a plane of a frame are arranged, in bytes; width is in samples, height in rows. */
typedef struct dmabuf_plane {
  uint64_t offset, stride, width, height, bytes_per_sample;
} dmabuf_plane;

/* How a frame's bytes are arranged. What its kind does not have is 0 or "". No plane leads out of the frame. */
typedef struct dmabuf_format {
  char kind[16];  /* "image", "tensor", "audio" or "raw" */
  uint64_t size;  /* bytes of one frame */
  size_t plane_count;
  dmabuf_plane planes[DMABUF_MOST_PLANES];
  char pixel_format[16]; /* images: "RGBA", "NV12", … */
  uint64_t width, height; /* images: pixels */
  size_t dimensions; /* tensors */
  uint64_t shape[DMABUF_MOST_DIMENSIONS]; /* tensors: outermost first */
  char type[16]; /* tensors: of an element; audio: of a sample. "float32", … */
  uint64_t channels, rate, samples; /* audio */
  char layout[16]; /* audio: "interleaved" or "planar" */
} dmabuf_format;

/* How an image is to be shown. dmabuf_no_picture() makes one that says nothing. */
typedef struct dmabuf_picture {
  double duration; /* less than 0: not said */
  uint64_t x, y, width, height; /* the pixels to be seen; width 0: not said */
  uint64_t display_width, display_height; /* 0: not said */
  int rotation; /* degrees clockwise: 0, 90, 180, 270; less than 0: not said */
  int flip;     /* 0, 1; less than 0: not said */
  /* By the names of WebCodecs; NULL: not said, "": unknown. */
  const char *primaries, *transfer, *matrix;
  int full_range; /* 0, 1; 2: unknown; less than 0: not said */
} dmabuf_picture;

dmabuf_picture dmabuf_no_picture(void);

/* Options of both kinds of visitors. All of it may be 0 but for the time limit, which is for the answer. */
typedef struct dmabuf_options {
  int timeout; /* milliseconds */
  const char *name; /* this visitor's own, for people */
  const char *policy; /* a viewer's wish: "newest", "drop-oldest" or "block"; NULL: the server's own */
  const char *group;  /* a viewer's wish: viewers of a group share the frames */
  const unsigned *users; /* whose server it may be, beside this user and root */
  size_t user_count;
} dmabuf_options;

typedef struct dmabuf_viewer dmabuf_viewer;

/* A frame that a viewer looks at: all of it is valid until it is given back. Writing to the bytes ends the process. */
typedef struct dmabuf_frame {
  const uint8_t *bytes;
  uint64_t length;  /* bytes; the format's size, or fewer */
  double sequence;  /* counts the stream's frames from 0: a gap is what this viewer has missed */
  double timestamp; /* the producer's own */
  double published_at; /* monotonic nanoseconds */
  const char *data;    /* what the producer has sent along: JSON, checked, with a 0 behind it; NULL if nothing */
  size_t data_length;
  int has_picture;
  dmabuf_picture picture;
} dmabuf_frame;

/* Begins to look at a stream. */
int dmabuf_viewer_connect(dmabuf_viewer **viewer, const char *where, const dmabuf_options *options, dmabuf_error *error);
const char *dmabuf_viewer_name(const dmabuf_viewer *viewer);
const char *dmabuf_viewer_policy(const dmabuf_viewer *viewer);
const dmabuf_format *dmabuf_viewer_format(const dmabuf_viewer *viewer);

/*
 * The next frame; one that is held is given back first. DMABUF_END when the stream has ended; what it has failed with. EPROTO
 * can also be about one frame, whose metadata are damaged: the next call gets the next one.
 */
int dmabuf_viewer_next(dmabuf_viewer *viewer, dmabuf_frame *frame, int timeout, dmabuf_error *error);

/* Gives the frame back. Nothing happens if there is none. */
int dmabuf_viewer_done(dmabuf_viewer *viewer, dmabuf_error *error);

/* For poll(): readable when the next call may have an answer. First call with the time limit 0, until ETIMEDOUT. */
int dmabuf_viewer_descriptor(const dmabuf_viewer *viewer);

/* Ends it, and unmaps the frames. NULL is allowed. */
void dmabuf_viewer_close(dmabuf_viewer *viewer);

typedef struct dmabuf_contributor dmabuf_contributor;

/* Memory of a frame to be filled. It is zero, or holds an older frame. */
typedef struct dmabuf_blank {
  uint8_t *bytes;
  uint64_t length;
  /* 0 to 31. While a contributor is open the same place is always at the same address. */
  unsigned place;
} dmabuf_blank;

/* What travels with a frame. dmabuf_no_publication() says nothing. */
typedef struct dmabuf_publication {
  const double *timestamp; /* NULL: the time of the publication */
  const char *data;        /* JSON; NULL: none */
  const uint64_t *length;  /* bytes, of a frame that is shorter than its format; NULL: the format's size */
  const dmabuf_picture *picture; /* NULL: none */
} dmabuf_publication;

/* Begins to fill a stream. */
int dmabuf_contributor_connect(dmabuf_contributor **contributor, const char *where, const dmabuf_options *options,
                               dmabuf_error *error);
const char *dmabuf_contributor_name(const dmabuf_contributor *contributor);
const dmabuf_format *dmabuf_contributor_format(const dmabuf_contributor *contributor);

/* How many bytes of JSON a frame may carry. */
uint64_t dmabuf_contributor_data_bytes(const dmabuf_contributor *contributor);

/*
 * A blank, when there is one. There is one at a time: EBUSY while one is held. DMABUF_END when the stream was ended by its owner.
 * After ETIMEDOUT the request goes on: what comes makes the descriptor below readable, and is kept for the next call. Close the
 * contributor if there is none to come.
 */
int dmabuf_contributor_loan(dmabuf_contributor *contributor, dmabuf_blank *blank, int timeout, dmabuf_error *error);

/*
 * Publishes the blank. Its memory is no longer there from the call on: what is still written to its address is lost, and
 * harms nothing. What the server refuses, as EINVAL or EOVERFLOW, is given back unpublished. `sequence` may be NULL.
 */
int dmabuf_contributor_publish(dmabuf_contributor *contributor, const dmabuf_publication *publication, double *sequence,
                               int timeout, dmabuf_error *error);

/* Gives the blank back without publishing it. Nothing happens if there is none. */
int dmabuf_contributor_drop(dmabuf_contributor *contributor, int timeout, dmabuf_error *error);

/* Says that no more frames come; whether that ends the stream is the server's choice. Then only the close is left. */
int dmabuf_contributor_end(dmabuf_contributor *contributor, dmabuf_error *error);

/* Says that frames cannot come any more, and why: the number of an error, and words. */
int dmabuf_contributor_fail(dmabuf_contributor *contributor, int code, const char *message, dmabuf_error *error);

/* As dmabuf_viewer_descriptor(): for what a loan waits for. */
int dmabuf_contributor_descriptor(const dmabuf_contributor *contributor);

/* Ends it; a blank that is held is given back unpublished. NULL is allowed. */
void dmabuf_contributor_close(dmabuf_contributor *contributor);

dmabuf_publication dmabuf_no_publication(void);

#ifdef __cplusplus
}
#endif

#endif
