/* See dmabuf_visitor.h. What the other side says, and what is in shared memory, is believed nowhere. License: MIT. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct ucred, memory files and their seals */
#endif
#include "dmabuf_visitor.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define VERSION 1
#define LONGEST_LINE 65536
#define LARGEST_COUNT 9007199254740991u /* what a double counts without a gap */
#define FIXED_METADATA 144
#define PICTURE_NUMBERS 13
#define SHORT 0x80000000u
#define PICTURED 0x40000000u
#define MOST_DESCRIPTORS (DMABUF_MOST_PLACES + 1) /* one more tells that there are too many */
#define SEND_LIMIT 5000 /* milliseconds in which a server reads a line */

/* Errors. */

static const struct { const char *name; int code; } ERRORS[] = {
#define E(name) {#name, name}
  E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(EBADF), E(ECHILD), E(EAGAIN), E(ENOMEM), E(EACCES),
  E(EFAULT), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY),
  E(ETXTBSY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK),
  E(ENOSYS), E(ELOOP), E(ENODATA), E(ETIME), E(EPROTO), E(EOVERFLOW), E(EBADFD), E(EILSEQ), E(ENOTSOCK), E(EMSGSIZE),
  E(EPROTOTYPE), E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(EOPNOTSUPP), E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL),
  E(ECONNABORTED), E(ECONNRESET), E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ETOOMANYREFS), E(ETIMEDOUT), E(ECONNREFUSED),
  E(EALREADY), E(EINPROGRESS), E(ESTALE), E(EREMOTEIO), E(ECANCELED),
#undef E
};

static const char *const PIXEL_FORMATS[] = {"RGBA", "BGRA", "RGBX", "BGRX", "RGB24", "BGR24", "GREY",
                                            "GRAY16", "YUYV", "UYVY", "NV12", "P010", "I420", "I444", NULL};
static const struct { const char *name; unsigned bytes; int is_sample; } ELEMENTS[] = {
  {"int8", 1, 0}, {"uint8", 1, 1}, {"int16", 2, 1}, {"uint16", 2, 0}, {"int32", 4, 1}, {"uint32", 4, 0}, {"float16", 2, 0},
  {"bfloat16", 2, 0}, {"float32", 4, 1}, {"float64", 8, 1}, {"int64", 8, 0}, {"uint64", 8, 0}, {"bool", 1, 0},
};
/* In the order of their numbers, from 1; the first one is "unknown". */
static const char *const PRIMARIES[] = {"", "bt709", "bt470bg", "smpte170m", "bt2020", "smpte432", NULL};
static const char *const TRANSFERS[] = {"", "bt709", "smpte170m", "iec61966-2-1", "linear", "pq", "hlg", NULL};
static const char *const MATRICES[] = {"", "rgb", "bt709", "bt470bg", "smpte170m", "bt2020-ncl", NULL};

const char *dmabuf_error_name(int code) {
  for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
    if (ERRORS[i].code == code) return ERRORS[i].name;
  return "EIO";
}

static int code_of(const char *name) {
  for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
    if (strcmp(ERRORS[i].name, name) == 0) return ERRORS[i].code;
  return EIO;
}

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static int fails(dmabuf_error *error, int code, const char *format, ...) {
  if (error != NULL) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->code = code;
  }
  return code;
}

/* JSON: a text becomes a list of its values. No depth is too deep, as nothing recurs. */

typedef struct value {
  char type; /* { [ " n t f 0 */
  size_t start, end; /* in the text; a string's are within its quotes */
  size_t next;       /* behind the value and all that is in it */
  size_t parent;
} value;

typedef struct json {
  const char *text;
  value *values;
  size_t count, room;
} json;

#define NO_VALUE ((size_t)-1)

static int add_value(json *j, char type, size_t start, size_t parent) {
  if (j->count == j->room) {
    size_t room = j->room == 0 ? 64 : j->room * 2;
    value *values = (value *)realloc(j->values, room * sizeof *values);
    if (values == NULL) return 0;
    j->values = values;
    j->room = room;
  }
  value *added = &j->values[j->count++];
  added->type = type;
  added->start = added->end = start;
  added->next = j->count;
  added->parent = parent;
  return 1;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The place of the closing quote, or 0. */
static size_t string_end(const char *text, size_t at, size_t length) {
  for (; at < length; at++) {
    unsigned char c = (unsigned char)text[at];
    if (c == '"') return at;
    if (c < 0x20) return 0;
    if (c != '\\') continue;
    if (++at == length) return 0;
    if (text[at] == 'u') {
      if (length - at < 5) return 0;
      for (int i = 1; i <= 4; i++)
        if (hex_digit(text[at + (size_t)i]) < 0) return 0;
      at += 4;
    } else if (text[at] == 0 || strchr("\"\\/bfnrt", text[at]) == NULL) return 0;
  }
  return 0;
}

static size_t digits(const char *text, size_t at, size_t length) {
  while (at < length && text[at] >= '0' && text[at] <= '9') at++;
  return at;
}

/* Where the number ends, or `at` if it is none. */
static size_t number_end(const char *text, size_t at, size_t length) {
  size_t start = at, before;
  if (at < length && text[at] == '-') at++;
  before = at;
  at = digits(text, at, length);
  if (at == before || (text[before] == '0' && at > before + 1)) return start;
  if (at < length && text[at] == '.') {
    before = ++at;
    at = digits(text, at, length);
    if (at == before) return start;
  }
  if (at < length && (text[at] == 'e' || text[at] == 'E')) {
    at++;
    if (at < length && (text[at] == '+' || text[at] == '-')) at++;
    before = at;
    at = digits(text, at, length);
    if (at == before) return start;
  }
  return at;
}

static size_t skip_space(const char *text, size_t at, size_t length) {
  while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) at++;
  return at;
}

/* 0, EPROTO if it is no JSON, ENOMEM. The values belong to `j`, and are used again by the next text. */
static int read_json(json *j, const char *text, size_t length) {
  enum { VALUE, FIRST_VALUE, KEY, FIRST_KEY, AFTER } want = VALUE;
  size_t at = 0, end, parent = NO_VALUE;
  j->text = text;
  j->count = 0;
  for (;;) {
    at = skip_space(text, at, length);
    if (want == AFTER && parent == NO_VALUE) return at == length ? 0 : EPROTO;
    if (at == length) return EPROTO;
    char c = text[at];
    int closes = parent != NO_VALUE && c == (j->values[parent].type == '{' ? '}' : ']');
    if (closes && want != VALUE && want != KEY) {
      j->values[parent].end = ++at;
      j->values[parent].next = j->count;
      parent = j->values[parent].parent;
      want = AFTER;
    } else if (want == AFTER) {
      if (c != ',') return EPROTO;
      at++;
      want = j->values[parent].type == '{' ? KEY : VALUE;
    } else if (c == '"') {
      if ((end = string_end(text, at + 1, length)) == 0) return EPROTO;
      if (!add_value(j, '"', at + 1, parent)) return ENOMEM;
      j->values[j->count - 1].end = end;
      at = end + 1;
      if (want == KEY || want == FIRST_KEY) {
        at = skip_space(text, at, length);
        if (at == length || text[at++] != ':') return EPROTO;
        want = VALUE;
      } else want = AFTER;
    } else if (want == KEY || want == FIRST_KEY) {
      return EPROTO;
    } else if (c == '{' || c == '[') {
      if (!add_value(j, c, at++, parent)) return ENOMEM;
      parent = j->count - 1;
      want = c == '{' ? FIRST_KEY : FIRST_VALUE;
    } else {
      char type = c == 't' || c == 'f' ? c : c == 'n' ? '0' : 'n';
      const char *word = c == 't' ? "true" : c == 'f' ? "false" : "null";
      if (type == 'n') end = number_end(text, at, length);
      else end = length - at >= strlen(word) && memcmp(text + at, word, strlen(word)) == 0 ? at + strlen(word) : at;
      if (end == at) return EPROTO;
      if (!add_value(j, type, at, parent)) return ENOMEM;
      at = j->values[j->count - 1].end = end;
      want = AFTER;
    }
  }
}

static size_t put_utf8(char *out, unsigned long code) {
  if (code < 0x80) return out[0] = (char)code, 1;
  if (code < 0x800) return out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2;
  size_t more = code < 0x10000 ? 2 : 3;
  out[0] = (char)((more == 2 ? 0xe0 : 0xf0) | code >> (6 * more));
  for (size_t i = 1; i <= more; i++) out[i] = (char)(0x80 | (code >> (6 * (more - i)) & 63));
  return more + 1;
}

static unsigned long unit_at(const char *text) {
  unsigned long code = 0;
  for (int i = 0; i < 4; i++) code = code * 16 + (unsigned long)hex_digit(text[i]);
  return code;
}

/* A string without its escapes and with a 0 behind it. Whether it is one, fits, and has no 0 in it. */
static int string_of(const json *j, size_t index, char *out, size_t size) {
  if (index == NO_VALUE || j->values[index].type != '"') return 0;
  const char *text = j->text, *plain = "\"\\/bfnrt", *meant = "\"\\/\b\f\n\r\t";
  size_t length = 0;
  for (size_t at = j->values[index].start, end = j->values[index].end; at < end; at++) {
    if (length + 5 > size) return 0;
    if (text[at] != '\\') {
      out[length++] = text[at];
      continue;
    }
    if (text[++at] != 'u') {
      out[length++] = meant[strchr(plain, text[at]) - plain];
      continue;
    }
    unsigned long code = unit_at(text + at + 1);
    at += 4;
    if (code >= 0xd800 && code < 0xdc00 && end - at > 6 && text[at + 1] == '\\' && text[at + 2] == 'u') {
      unsigned long low = unit_at(text + at + 3);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd; /* half of a pair */
    length += put_utf8(out + length, code);
  }
  out[length] = 0;
  return memchr(out, 0, length) == NULL;
}

/* The value of a field; the last one counts. NO_VALUE if there is none. */
static size_t field(const json *j, size_t object, const char *name) {
  size_t found = NO_VALUE;
  char key[32];
  if (object == NO_VALUE || j->values[object].type != '{') return NO_VALUE;
  for (size_t at = object + 1; at < j->values[object].next; at = j->values[at + 1].next)
    if (string_of(j, at, key, sizeof key) && strcmp(key, name) == 0) found = at + 1;
  return found;
}

static int is_true(const json *j, size_t index) { return index != NO_VALUE && j->values[index].type == 't'; }

/* Whether it is an integer from 0, and one that a double can count. */
static int count_of(const json *j, size_t index, uint64_t *out) {
  if (index == NO_VALUE || j->values[index].type != 'n') return 0;
  uint64_t count = 0;
  for (size_t at = j->values[index].start; at < j->values[index].end; at++) {
    char c = j->text[at];
    if (c < '0' || c > '9') return 0;
    count = count * 10 + (uint64_t)(c - '0');
    if (count > LARGEST_COUNT) return 0;
  }
  *out = count;
  return 1;
}

static int positive_in(const json *j, size_t object, const char *name, uint64_t *out) {
  return count_of(j, field(j, object, name), out) && *out > 0;
}

static int one_of(const char *text, const char *const *names) {
  for (; *names != NULL; names++)
    if (strcmp(*names, text) == 0) return 1;
  return 0;
}

/* Formats. */

static int read_plane(const json *j, size_t index, uint64_t size, dmabuf_plane *plane) {
  if (!count_of(j, field(j, index, "offset"), &plane->offset) || !positive_in(j, index, "stride", &plane->stride) ||
      !positive_in(j, index, "width", &plane->width) || !positive_in(j, index, "height", &plane->height) ||
      !positive_in(j, index, "bytesPerSample", &plane->bytes_per_sample))
    return 0;
  return plane->width <= plane->stride / plane->bytes_per_sample && plane->offset <= size &&
         plane->stride <= (size - plane->offset) / plane->height;
}

static unsigned element_bytes(const char *type, int of_sample) {
  for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++)
    if (strcmp(ELEMENTS[i].name, type) == 0 && (!of_sample || ELEMENTS[i].is_sample)) return ELEMENTS[i].bytes;
  return 0;
}

/* Everything in the format of audio follows from its samples. */
static int is_audio(const dmabuf_format *f) {
  unsigned bytes = element_bytes(f->type, 1);
  int planar = strcmp(f->layout, "planar") == 0;
  if (bytes == 0 || (!planar && strcmp(f->layout, "interleaved") != 0)) return 0;
  if (f->channels > 64 || f->samples > UINT64_C(1) << 32 || f->plane_count != (planar ? f->channels : 1)) return 0;
  uint64_t sample = bytes * (planar ? 1 : f->channels), stride = sample * f->samples;
  for (size_t i = 0; i < f->plane_count; i++) {
    const dmabuf_plane *p = &f->planes[i];
    if (p->offset != i * stride || p->stride != stride || p->width != f->samples) return 0;
    if (p->height != 1 || p->bytes_per_sample != sample) return 0;
  }
  return f->size == stride * f->plane_count;
}

static int is_tensor(const dmabuf_format *f) {
  uint64_t left = element_bytes(f->type, 0);
  if (left == 0 || f->size % left != 0 || f->dimensions == 0) return 0;
  left = f->size / left;
  for (size_t i = 0; i < f->dimensions; i++) {
    if (left % f->shape[i] != 0) return 0;
    left /= f->shape[i];
  }
  return left == 1;
}

static int read_format(const json *j, size_t index, dmabuf_format *f) {
  memset(f, 0, sizeof *f);
  size_t planes = field(j, index, "planes"), shape = field(j, index, "shape");
  if (!string_of(j, field(j, index, "kind"), f->kind, sizeof f->kind) || !positive_in(j, index, "size", &f->size)) return 0;
  if (planes == NO_VALUE || j->values[planes].type != '[') return 0;
  for (size_t at = planes + 1; at < j->values[planes].next; at = j->values[at].next) {
    if (f->plane_count == DMABUF_MOST_PLANES || !read_plane(j, at, f->size, &f->planes[f->plane_count++])) return 0;
  }
  if (f->plane_count == 0) return 0;
  int image = strcmp(f->kind, "image") == 0, tensor = strcmp(f->kind, "tensor") == 0, audio = strcmp(f->kind, "audio") == 0;
  if ((tensor || audio) && !string_of(j, field(j, index, "type"), f->type, sizeof f->type)) return 0;
  if (image) {
    return string_of(j, field(j, index, "pixelFormat"), f->pixel_format, sizeof f->pixel_format) &&
           one_of(f->pixel_format, PIXEL_FORMATS) && positive_in(j, index, "width", &f->width) &&
           positive_in(j, index, "height", &f->height);
  }
  if (tensor) {
    if (shape == NO_VALUE || j->values[shape].type != '[') return 0;
    for (size_t at = shape + 1; at < j->values[shape].next; at = j->values[at].next) {
      if (f->dimensions == DMABUF_MOST_DIMENSIONS || !count_of(j, at, &f->shape[f->dimensions])) return 0;
      if (f->shape[f->dimensions++] == 0) return 0;
    }
    return is_tensor(f);
  }
  if (audio) {
    return string_of(j, field(j, index, "layout"), f->layout, sizeof f->layout) &&
           positive_in(j, index, "channels", &f->channels) && positive_in(j, index, "rate", &f->rate) &&
           positive_in(j, index, "samples", &f->samples) && is_audio(f);
  }
  return strcmp(f->kind, "raw") == 0;
}

static uint64_t metadata_at(const dmabuf_format *f) { return (f->size + 7) / 8 * 8; }

/* A connection, and what has come of it. */

typedef struct visitor {
  int socket;
  char line[LONGEST_LINE + 1];
  size_t received;  /* bytes of `line` */
  size_t consumed;  /* bytes of the line that was read last */
  int files[MOST_DESCRIPTORS];
  size_t file_count;
  int closed; /* the error of the connection, when it is over */
  int cut; /* the kernel had descriptors that this process could not take */
  json words;
  int ended; /* 0, DMABUF_END, or an error */
  dmabuf_error why;
  char name[256], policy[16];
  dmabuf_format format;
  uint64_t bytes;
} visitor;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double end_of(int timeout) { return timeout < 0 ? INFINITY : now() + timeout; }

/* Waits until the socket can be read or written: ETIMEDOUT if it cannot by then. */
static int wait_for(visitor *v, short events, double end) {
  for (;;) {
    struct pollfd one = {v->socket, events, 0};
    double left = end == INFINITY ? -1 : end - now();
    int ready = poll(&one, 1, left < 0 ? (end == INFINITY ? -1 : 0) : left > 1e9 ? 1000000000 : (int)ceil(left));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
    if (end != INFINITY && now() >= end) return ETIMEDOUT;
  }
}

static int end_with(visitor *v, int code, const char *words) {
  if (v->ended == 0) {
    v->ended = code;
    fails(&v->why, code, "%s", words);
  }
  return v->ended;
}

/* What the visitor has ended with. */
static int tell_end(const visitor *v, dmabuf_error *error) {
  return v->ended == DMABUF_END ? DMABUF_END : fails(error, v->ended, "%s", v->why.message);
}

static void close_files(visitor *v) {
  while (v->file_count > 0) close(v->files[--v->file_count]);
}

static int send_line(visitor *v, const char *text, size_t length) {
  double end = end_of(SEND_LIMIT);
  while (length > 0) {
    ssize_t sent = send(v->socket, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      text += sent;
      length -= (size_t)sent;
    } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (wait_for(v, POLLOUT, end) == ETIMEDOUT) return end_with(v, ETIMEDOUT, "The server does not read what it is told");
    } else if (sent < 0 && errno != EINTR) {
      return 0; /* It has hung up, and may have said why: what is read next tells. */
    }
  }
  return 0;
}

static int say(visitor *v, const char *words) { return send_line(v, words, strlen(words)); }

static void receive(visitor *v) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * 253)];
  } control;
  struct iovec part = {v->line + v->received, LONGEST_LINE + 1 - v->received};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  ssize_t got = recvmsg(v->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return;
    v->closed = errno == EPIPE ? ECONNRESET : errno;
    return;
  }
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
      int file;
      memcpy(&file, CMSG_DATA(c) + i * sizeof file, sizeof file);
      if (v->file_count < MOST_DESCRIPTORS) v->files[v->file_count++] = file;
      else close(file);
    }
  }
  if (message.msg_flags & MSG_CTRUNC) v->cut = 1;
  if (got == 0) v->closed = ECONNRESET;
  else v->received += (size_t)got;
}

static int is_refusal(visitor *v) {
  char name[32] = "", words[192] = "without words";
  size_t code = field(&v->words, 0, "code");
  if (code == NO_VALUE) return 0;
  string_of(&v->words, code, name, sizeof name);
  string_of(&v->words, field(&v->words, 0, "message"), words, sizeof words);
  for (char *c = words; *c != 0; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
  char text[240];
  snprintf(text, sizeof text, "The server says: %s", words);
  end_with(v, code_of(name), text);
  return 1;
}

/* Reads the next line into `words`: an object. ETIMEDOUT leaves all as it is; other errors end the visitor. */
static int next_line(visitor *v, double end, dmabuf_error *error) {
  memmove(v->line, v->line + v->consumed, v->received - v->consumed);
  v->received -= v->consumed;
  v->consumed = 0;
  size_t looked = 0;
  while (v->ended == 0) {
    char *found = (char *)memchr(v->line + looked, '\n', v->received - looked);
    if (found != NULL) {
      size_t length = (size_t)(found - v->line);
      v->consumed = length + 1;
      int code = read_json(&v->words, v->line, length);
      if (code == ENOMEM) end_with(v, ENOMEM, "There is no memory for what the server says");
      else if (code != 0 || v->words.values[0].type != '{') end_with(v, EPROTO, "The server has said what is no object in JSON");
      else if (!is_refusal(v)) return 0;
      return tell_end(v, error);
    }
    looked = v->received;
    if (v->received > LONGEST_LINE) end_with(v, EPROTO, "The server has said too long a line");
    else if (v->closed != 0) end_with(v, v->closed, "The server has hung up");
    if (v->ended != 0) break;
    int code = wait_for(v, POLLIN, end);
    if (code == ETIMEDOUT) return fails(error, ETIMEDOUT, "The server has said nothing in time");
    if (code != 0) end_with(v, code, "Cannot wait for the server");
    else receive(v);
  }
  return tell_end(v, error);
}

/* A text that grows. */
typedef struct text {
  char bytes[LONGEST_LINE];
  size_t length;
  int full;
} text;

static void put(text *t, const char *some, size_t length) {
  if (length > sizeof t->bytes - t->length) t->full = 1;
  else {
    memcpy(t->bytes + t->length, some, length);
    t->length += length;
  }
}

static void puts_to(text *t, const char *some) { put(t, some, strlen(some)); }

static void put_string(text *t, const char *name, const char *some) {
  if (some == NULL) return;
  puts_to(t, name);
  puts_to(t, "\"");
  for (; *some != 0; some++) {
    char escaped[8];
    if ((unsigned char)*some >= 0x20 && *some != '"' && *some != '\\') put(t, some, 1);
    else {
      snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)*some);
      puts_to(t, escaped);
    }
  }
  puts_to(t, "\"");
}

/* Whatever the locale writes between the digits. */
static void put_number(text *t, const char *name, double number) {
  char digits_[32];
  snprintf(digits_, sizeof digits_, "%.17g", number);
  for (char *c = digits_; *c != 0; c++)
    if (strchr("0123456789+-e", *c) == NULL) *c = '.';
  puts_to(t, name);
  puts_to(t, digits_);
}

static int is_known_user(const dmabuf_options *options, uid_t user) {
  if (user == 0 || user == geteuid()) return 1;
  for (size_t i = 0; i < options->user_count; i++)
    if (options->users[i] == user) return 1;
  return 0;
}

static void end_visitor(visitor *v) {
  close_files(v);
  if (v->socket >= 0) close(v->socket);
  free(v->words.values);
}

/* Connects, looks whose server it is, says what this is, and reads the greeting. */
static int meet(visitor *v, const char *where, const dmabuf_options *options, const char *as, dmabuf_error *error) {
  struct sockaddr_un address;
  size_t length = strlen(where);
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (length == 0 || length >= sizeof address.sun_path) return fails(error, EINVAL, "A place has 1 to 107 bytes, not %zu", length);
  memcpy(address.sun_path, where, length);
  if (where[0] == '@') address.sun_path[0] = 0;
  double end = end_of(options->timeout);
  v->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (v->socket < 0) return fails(error, errno, "Cannot make a socket: %s", strerror(errno));
  if (options->timeout >= 0) {
    struct timeval limit = {options->timeout / 1000, options->timeout % 1000 * 1000 + 1};
    setsockopt(v->socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (where[0] == '@' ? 0 : 1));
  if (connect(v->socket, (const struct sockaddr *)&address, size) != 0) {
    int code = errno == EAGAIN ? ETIMEDOUT : errno;
    return fails(error, code, "Cannot connect to %s: %s", where, strerror(code));
  }
  struct ucred peer;
  socklen_t peer_size = sizeof peer;
  if (getsockopt(v->socket, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0)
    return fails(error, errno, "Cannot ask whose server it is: %s", strerror(errno));
  if (!is_known_user(options, peer.uid))
    return fails(error, EACCES, "The server at %s belongs to user %u, which is not one of \"users\"", where, (unsigned)peer.uid);
  text *hello = (text *)calloc(1, sizeof *hello);
  if (hello == NULL) return fails(error, ENOMEM, "There is no memory for a line");
  puts_to(hello, "{\"visitor\":1,\"as\":");
  put_string(hello, "", as);
  put_string(hello, ",\"name\":", options->name);
  if (strcmp(as, "viewer") == 0) {
    put_string(hello, ",\"policy\":", options->policy);
    put_string(hello, ",\"group\":", options->group);
  }
  puts_to(hello, "}\n");
  int code = hello->full ? end_with(v, EINVAL, "The options are too long") : send_line(v, hello->bytes, hello->length);
  free(hello);
  if (code != 0) return tell_end(v, error);
  if ((code = next_line(v, end, error)) != 0) return code;
  const json *j = &v->words;
  uint64_t version = 0;
  size_t said = field(j, 0, "visitor");
  if (!count_of(j, said, &version) || version != VERSION) {
    int is_number = said != NO_VALUE && j->values[said].type == 'n';
    return fails(error, EPROTO, "The server speaks %s%.*s of the protocol of visitors, and this program version %d",
                 is_number ? "version " : "no version", is_number ? (int)(j->values[said].end - j->values[said].start) % 20 : 0,
                 j->text + (is_number ? j->values[said].start : 0), VERSION);
  }
  if (!read_format(j, field(j, 0, "format"), &v->format)) return fails(error, EPROTO, "The stream has a damaged format");
  if (!string_of(j, field(j, 0, "name"), v->name, sizeof v->name) || !positive_in(j, 0, "bytes", &v->bytes))
    return fails(error, EPROTO, "The stream is served with words that cannot be understood");
  if (v->bytes < metadata_at(&v->format) + FIXED_METADATA || v->bytes > SIZE_MAX / 2)
    return fails(error, EPROTO, "No frame fits into the stream's memory");
  return 0;
}

/* Whether a file is memory of so many bytes which no process can take away. */
static int is_memory(int file, uint64_t bytes) {
  struct stat about;
  int seals = fcntl(file, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) && (seals & F_SEAL_GROW) && fstat(file, &about) == 0 && about.st_size > 0 &&
         (uint64_t)about.st_size >= bytes;
}

/* Viewers. */

struct dmabuf_viewer {
  visitor visitor;
  size_t places;
  uint8_t *mapped[DMABUF_MOST_PLACES];
  int looking;
  int early; /* a line had come before the last frame was given back */
  char *data; /* a private copy: the shared one could change after it was checked */
  json checked;
};

int dmabuf_viewer_connect(dmabuf_viewer **out, const char *where, const dmabuf_options *options, dmabuf_error *error) {
  dmabuf_viewer *viewer = (dmabuf_viewer *)calloc(1, sizeof *viewer);
  *out = NULL;
  if (viewer == NULL) return fails(error, ENOMEM, "There is no memory for a viewer");
  visitor *v = &viewer->visitor;
  v->socket = -1;
  uint64_t places = 0;
  int code = meet(v, where, options, "viewer", error);
  if (code == 0 && (!count_of(&v->words, field(&v->words, 0, "buffers"), &places) || places == 0 || places > DMABUF_MOST_PLACES ||
                    !string_of(&v->words, field(&v->words, 0, "policy"), v->policy, sizeof v->policy)))
    code = fails(error, EPROTO, "The stream is served with words that cannot be understood");
  if (code == 0 && v->cut) code = fails(error, EMFILE, "There are no descriptors left for the stream's memory");
  int fits = v->file_count == places;
  for (size_t i = 0; code == 0 && i < v->file_count; i++) fits = fits && is_memory(v->files[i], v->bytes);
  if (code == 0 && !fits) code = fails(error, EPROTO, "The stream is served with memory that does not fit it");
  while (code == 0 && viewer->places < places) {
    void *at = mmap(NULL, (size_t)v->bytes, PROT_READ, MAP_SHARED, v->files[viewer->places], 0);
    if (at == MAP_FAILED) code = fails(error, errno, "Cannot map the stream's memory: %s", strerror(errno));
    else viewer->mapped[viewer->places++] = (uint8_t *)at;
  }
  close_files(v);
  if (code != 0) dmabuf_viewer_close(viewer);
  else *out = viewer;
  return code;
}

const char *dmabuf_viewer_name(const dmabuf_viewer *viewer) { return viewer->visitor.name; }
const char *dmabuf_viewer_policy(const dmabuf_viewer *viewer) { return viewer->visitor.policy; }
const dmabuf_format *dmabuf_viewer_format(const dmabuf_viewer *viewer) { return &viewer->visitor.format; }
int dmabuf_viewer_descriptor(const dmabuf_viewer *viewer) { return viewer->visitor.socket; }

/* On every machine: the protocol's numbers are little-endian. */
static uint64_t bits_at(const uint8_t *at, int bytes) {
  uint64_t bits = 0;
  for (int i = bytes - 1; i >= 0; i--) bits = bits << 8 | at[i];
  return bits;
}

static double double_at(const uint8_t *at) {
  uint64_t bits = bits_at(at, 8);
  double number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

/* Whether a frame may have so many bytes. */
static int is_length(const dmabuf_format *f, double length) {
  if (length == (double)f->size) return 1;
  uint64_t unit = strcmp(f->kind, "raw") == 0 ? 1 : strcmp(f->layout, "interleaved") == 0 ? f->planes[0].bytes_per_sample : 0;
  return unit > 0 && length >= 0 && length < (double)f->size && floor(length) == length && (uint64_t)length % unit == 0;
}

/* Whether it is an integer from `least`, or not said, which is `otherwise`. */
static int whole(double number, double least, uint64_t otherwise, uint64_t *out) {
  *out = otherwise;
  if (isnan(number)) return 1;
  if (!(number >= least && number <= (double)LARGEST_COUNT && floor(number) == number)) return 0;
  *out = (uint64_t)number;
  return 1;
}

static size_t choice(double number) { return number >= 1 && number <= 8 && floor(number) == number ? (size_t)number : 0; }

static const char *name_in(const char *const *names, double number) {
  for (size_t i = 1; *names != NULL; names++, i++)
    if (choice(number) == i) return *names;
  return NULL;
}

static int read_picture(const uint8_t *at, const dmabuf_format *f, dmabuf_picture *p) {
  double n[PICTURE_NUMBERS];
  for (int i = 0; i < PICTURE_NUMBERS; i++) n[i] = double_at(at + 8 * i);
  *p = dmabuf_no_picture();
  if (strcmp(f->kind, "image") != 0) return 0;
  if (!isnan(n[0])) {
    if (!(n[0] >= 0 && n[0] < INFINITY)) return 0;
    p->duration = n[0];
  }
  if (!whole(n[1], 1, 0, &p->display_width) || !whole(n[2], 1, 0, &p->display_height)) return 0;
  if ((p->display_width == 0) != (p->display_height == 0)) return 0;
  size_t turned = choice(n[3]), flipped = choice(n[4]), full = choice(n[12]);
  if (turned >= 1 && turned <= 4) p->rotation = (int)(turned - 1) * 90;
  if (flipped >= 1 && flipped <= 2) p->flip = (int)flipped - 1;
  if (!(isnan(n[5]) && isnan(n[6]) && isnan(n[7]) && isnan(n[8]))) {
    if (isnan(n[5]) || isnan(n[6]) || isnan(n[7]) || isnan(n[8])) return 0;
    if (!whole(n[5], 0, 0, &p->x) || !whole(n[6], 0, 0, &p->y)) return 0;
    if (!whole(n[7], 1, 0, &p->width) || !whole(n[8], 1, 0, &p->height)) return 0;
    if (p->x > f->width || p->width > f->width - p->x || p->y > f->height || p->height > f->height - p->y) return 0;
  }
  p->primaries = name_in(PRIMARIES, n[9]);
  p->transfer = name_in(TRANSFERS, n[10]);
  p->matrix = name_in(MATRICES, n[11]);
  if (full >= 1 && full <= 3) p->full_range = full == 1 ? 2 : (int)full - 2;
  return 1;
}

static int read_frame(dmabuf_viewer *viewer, const uint8_t *at, dmabuf_frame *frame, dmabuf_error *error) {
  const visitor *v = &viewer->visitor;
  const uint8_t *area = at + metadata_at(&v->format);
  uint32_t flags = (uint32_t)bits_at(area + 24, 4);
  double length = flags & SHORT ? double_at(area + 32) : (double)v->format.size;
  memset(frame, 0, sizeof *frame);
  frame->bytes = at;
  frame->sequence = double_at(area);
  frame->timestamp = double_at(area + 8);
  frame->published_at = double_at(area + 16);
  frame->picture = dmabuf_no_picture();
  if (!is_length(&v->format, length)) return fails(error, EPROTO, "The frame's length is damaged");
  frame->length = (uint64_t)length;
  if (flags & PICTURED) {
    if (!read_picture(area + 40, &v->format, &frame->picture)) return fails(error, EPROTO, "The frame's picture is damaged");
    frame->has_picture = 1;
  }
  frame->data_length = flags & (PICTURED - 1);
  if (frame->data_length == 0) return 0;
  if (frame->data_length > v->bytes - metadata_at(&v->format) - FIXED_METADATA)
    return fails(error, EPROTO, "The frame's data are damaged");
  free(viewer->data);
  viewer->data = (char *)malloc(frame->data_length + 1);
  if (viewer->data == NULL) return fails(error, ENOMEM, "There is no memory for the frame's data");
  memcpy(viewer->data, area + FIXED_METADATA, frame->data_length);
  viewer->data[frame->data_length] = 0;
  frame->data = viewer->data;
  int code = read_json(&viewer->checked, viewer->data, frame->data_length);
  return code == 0 ? 0 : fails(error, code, "The frame's data are %s", code == EPROTO ? "damaged" : "too many for the memory");
}

int dmabuf_viewer_next(dmabuf_viewer *viewer, dmabuf_frame *frame, int timeout, dmabuf_error *error) {
  visitor *v = &viewer->visitor;
  int code = dmabuf_viewer_done(viewer, error);
  if (code == 0) code = next_line(v, end_of(timeout), error);
  if (code != 0) return code;
  const json *j = &v->words;
  uint64_t place;
  size_t failed = field(j, 0, "failed");
  if (v->file_count > 0) {
    close_files(v);
    end_with(v, EPROTO, "The server has sent descriptors that belong to nothing");
  } else if (count_of(j, field(j, 0, "place"), &place) && place < viewer->places && !viewer->early) {
    /* Of another frame a server says nothing before this one is given back. */
    viewer->looking = 1;
    code = read_frame(viewer, viewer->mapped[place], frame, error);
    if (code != 0) dmabuf_viewer_done(viewer, NULL);
    return code;
  } else if (is_true(j, field(j, 0, "end"))) {
    end_with(v, DMABUF_END, "");
  } else if (failed != NO_VALUE && j->values[failed].type == '{') {
    char name[32] = "", words[192] = "without words", message[240];
    string_of(j, field(j, failed, "code"), name, sizeof name);
    string_of(j, field(j, failed, "message"), words, sizeof words);
    snprintf(message, sizeof message, "The stream has failed: %s", words);
    end_with(v, code_of(name), message);
  } else end_with(v, EPROTO, "The server has said what has no meaning here");
  return tell_end(v, error);
}

int dmabuf_viewer_done(dmabuf_viewer *viewer, dmabuf_error *error) {
  if (!viewer->looking) return 0;
  visitor *v = &viewer->visitor;
  viewer->looking = 0;
  if (v->ended != 0) return 0; /* The next frame tells. */
  if (v->closed == 0 && v->received <= LONGEST_LINE) receive(v);
  viewer->early = memchr(v->line + v->consumed, '\n', v->received - v->consumed) != NULL;
  return say(v, "{\"done\":true}\n") == 0 ? 0 : tell_end(v, error);
}

void dmabuf_viewer_close(dmabuf_viewer *viewer) {
  if (viewer == NULL) return;
  end_visitor(&viewer->visitor);
  while (viewer->places > 0) munmap(viewer->mapped[--viewer->places], (size_t)viewer->visitor.bytes);
  free(viewer->data);
  free(viewer->checked.values);
  free(viewer);
}

/* Contributors. */

struct dmabuf_contributor {
  visitor visitor;
  uint64_t data_bytes;
  uint8_t *places[DMABUF_MOST_PLACES]; /* address ranges, kept until the close */
  uint8_t *blank;
  int asked; /* for a blank, which has not come yet */
  text line;
};

int dmabuf_contributor_connect(dmabuf_contributor **out, const char *where, const dmabuf_options *options, dmabuf_error *error) {
  dmabuf_contributor *c = (dmabuf_contributor *)calloc(1, sizeof *c);
  *out = NULL;
  if (c == NULL) return fails(error, ENOMEM, "There is no memory for a contributor");
  visitor *v = &c->visitor;
  v->socket = -1;
  int code = meet(v, where, options, "contributor", error);
  if (code == 0 && (v->file_count > 0 || !count_of(&v->words, field(&v->words, 0, "dataBytes"), &c->data_bytes) ||
                    c->data_bytes > v->bytes - metadata_at(&v->format) - FIXED_METADATA))
    code = fails(error, EPROTO, "The stream is served with words that cannot be understood");
  if (code != 0) dmabuf_contributor_close(c);
  else *out = c;
  return code;
}

const char *dmabuf_contributor_name(const dmabuf_contributor *c) { return c->visitor.name; }
const dmabuf_format *dmabuf_contributor_format(const dmabuf_contributor *c) { return &c->visitor.format; }
uint64_t dmabuf_contributor_data_bytes(const dmabuf_contributor *c) { return c->data_bytes; }
int dmabuf_contributor_descriptor(const dmabuf_contributor *c) { return c->visitor.socket; }

/* Puts nothing of the stream's, or a blank, into the address range of a place. */
static void *map_at(uint8_t *where, size_t length, int file) {
  int flags = (where == NULL ? 0 : MAP_FIXED) | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED);
  return mmap(where, length, PROT_READ | PROT_WRITE, flags, file, 0);
}

/* The blank's memory is the server's again, before that is told: the kernel is asked whether it is. */
static void unmap_blank(dmabuf_contributor *c) {
  if (c->blank == NULL) return;
  size_t length = (size_t)c->visitor.format.size;
  if (map_at(c->blank, length, -1) == MAP_FAILED) {
    /* There is no memory for an empty mapping: the range is given up. */
    munmap(c->blank, length);
    for (int i = 0; i < DMABUF_MOST_PLACES; i++)
      if (c->places[i] == c->blank) c->places[i] = NULL;
  }
  c->blank = NULL;
}

static int lend(dmabuf_contributor *c, uint64_t place, int file, dmabuf_blank *blank, dmabuf_error *error) {
  visitor *v = &c->visitor;
  size_t length = (size_t)v->format.size;
  if (!is_memory(file, v->bytes) || (fcntl(file, F_GETFL) & O_ACCMODE) != O_RDWR) {
    end_with(v, EPROTO, "The server has lent memory that cannot be written, or does not fit the stream");
    return tell_end(v, error);
  }
  if (c->places[place] == NULL) {
    void *range = map_at(NULL, length, -1);
    if (range == MAP_FAILED) return fails(error, errno, "Cannot map a blank: %s", strerror(errno));
    c->places[place] = (uint8_t *)range;
  }
  if (map_at(c->places[place], length, file) == MAP_FAILED) return fails(error, errno, "Cannot map a blank: %s", strerror(errno));
  c->blank = blank->bytes = c->places[place];
  blank->length = v->format.size;
  blank->place = (unsigned)place;
  return 0;
}

int dmabuf_contributor_loan(dmabuf_contributor *c, dmabuf_blank *blank, int timeout, dmabuf_error *error) {
  visitor *v = &c->visitor;
  if (v->ended != 0) return tell_end(v, error);
  if (c->blank != NULL) return fails(error, EBUSY, "Cannot get a blank: there is one already");
  if (!c->asked && say(v, "{\"loan\":true}\n") != 0) return tell_end(v, error);
  c->asked = 1;
  int code = next_line(v, end_of(timeout), error);
  if (code != 0) return code;
  uint64_t place;
  c->asked = 0;
  if (v->cut) return end_with(v, EMFILE, "There is no descriptor left for a blank"), close_files(v), tell_end(v, error);
  if (count_of(&v->words, field(&v->words, 0, "blank"), &place) && place < DMABUF_MOST_PLACES && v->file_count == 1) {
    code = lend(c, place, v->files[0], blank, error);
    close_files(v);
    if (code != 0 && v->ended == 0) say(v, "{\"drop\":true}\n"), end_with(v, code, "A blank could not be mapped");
    return code;
  }
  int is_end = v->file_count == 0 && is_true(&v->words, field(&v->words, 0, "end"));
  close_files(v);
  end_with(v, is_end ? DMABUF_END : EPROTO, "The server has said what has no meaning here");
  return tell_end(v, error);
}

/* What the server says to a blank that was given back. */
static int hear_answer(dmabuf_contributor *c, const char *wanted, double *number, int timeout, dmabuf_error *error) {
  visitor *v = &c->visitor;
  int code = next_line(v, end_of(timeout), error);
  /* What comes after the time limit would be taken for another answer. */
  if (code == ETIMEDOUT) end_with(v, ETIMEDOUT, "The server has not answered in time");
  if (code != 0) return code;
  const json *j = &v->words;
  size_t answer = field(j, 0, wanted), refused = field(j, 0, "refused");
  uint64_t sequence = 0;
  if (v->file_count == 0 && (number != NULL ? count_of(j, answer, &sequence) : is_true(j, answer))) {
    if (number != NULL) *number = (double)sequence;
    return 0;
  }
  if (v->file_count == 0 && refused != NO_VALUE && j->values[refused].type == '{') {
    char name[32] = "", words[192] = "without words";
    string_of(j, field(j, refused, "code"), name, sizeof name);
    string_of(j, field(j, refused, "message"), words, sizeof words);
    return fails(error, code_of(name), "The frame is refused: %s", words);
  }
  close_files(v);
  if (v->file_count == 0 && is_true(j, field(j, 0, "end"))) end_with(v, DMABUF_END, "");
  else end_with(v, EPROTO, "The server has said what has no meaning here");
  return tell_end(v, error);
}

static void put_picture(text *t, const dmabuf_picture *p) {
  size_t before;
  puts_to(t, ",\"picture\":{");
  before = t->length;
  if (p->duration >= 0) put_number(t, ",\"duration\":", p->duration);
  if (p->width > 0) {
    put_number(t, ",\"visibleRect\":{\"x\":", (double)p->x);
    put_number(t, ",\"y\":", (double)p->y);
    put_number(t, ",\"width\":", (double)p->width);
    put_number(t, ",\"height\":", (double)p->height);
    puts_to(t, "}");
  }
  if (p->display_width > 0) put_number(t, ",\"displayWidth\":", (double)p->display_width);
  if (p->display_height > 0) put_number(t, ",\"displayHeight\":", (double)p->display_height);
  if (p->rotation >= 0) put_number(t, ",\"rotation\":", p->rotation);
  if (p->flip >= 0) puts_to(t, p->flip ? ",\"flip\":true" : ",\"flip\":false");
  if (p->primaries != NULL || p->transfer != NULL || p->matrix != NULL || p->full_range >= 0) {
    const char *names[] = {",\"primaries\":", ",\"transfer\":", ",\"matrix\":"};
    const char *values[] = {p->primaries, p->transfer, p->matrix};
    puts_to(t, ",\"colorSpace\":{");
    size_t first = t->length;
    for (int i = 0; i < 3; i++) {
      if (values[i] != NULL && *values[i] == 0) puts_to(t, names[i]), puts_to(t, "null");
      else put_string(t, names[i], values[i]);
    }
    if (p->full_range >= 0) puts_to(t, ",\"fullRange\":"), puts_to(t, p->full_range == 2 ? "null" : p->full_range ? "true" : "false");
    if (!t->full) t->bytes[first] = ' '; /* the first comma */
    puts_to(t, "}");
  }
  if (t->length > before && !t->full) t->bytes[before] = ' ';
  puts_to(t, "}");
}

int dmabuf_contributor_publish(dmabuf_contributor *c, const dmabuf_publication *publication, double *sequence, int timeout,
                               dmabuf_error *error) {
  visitor *v = &c->visitor;
  text *t = &c->line;
  double number;
  if (v->ended != 0) return tell_end(v, error);
  if (c->blank == NULL) return fails(error, EINVAL, "Cannot publish: there is no blank");
  t->length = 0;
  t->full = 0;
  puts_to(t, "{\"publish\":{");
  size_t before = t->length;
  if (publication->timestamp != NULL) {
    if (!isfinite(*publication->timestamp)) return fails(error, EINVAL, "Cannot publish: the timestamp is no finite number");
    put_number(t, ",\"timestamp\":", *publication->timestamp);
  }
  if (publication->length != NULL) put_number(t, ",\"length\":", (double)*publication->length);
  if (publication->picture != NULL) put_picture(t, publication->picture);
  if (publication->data != NULL) {
    size_t length = strlen(publication->data);
    int code = read_json(&v->words, publication->data, length);
    if (code != 0) return fails(error, code == EPROTO ? EINVAL : code, "Cannot publish: the data are no JSON");
    puts_to(t, ",\"data\":");
    size_t start = t->length;
    put(t, publication->data, length);
    /* Between values a new line is a space; within strings there is none. */
    for (size_t i = start; i < t->length; i++)
      if (t->bytes[i] == '\n' || t->bytes[i] == '\r') t->bytes[i] = ' ';
  }
  if (t->length > before) t->bytes[before] = ' '; /* the first comma */
  puts_to(t, "}}\n");
  if (t->full) return fails(error, EOVERFLOW, "Cannot publish: the data are too long for a line");
  unmap_blank(c);
  if (send_line(v, t->bytes, t->length) != 0) return tell_end(v, error);
  return hear_answer(c, "published", sequence != NULL ? sequence : &number, timeout, error);
}

int dmabuf_contributor_drop(dmabuf_contributor *c, int timeout, dmabuf_error *error) {
  visitor *v = &c->visitor;
  if (c->blank == NULL) return 0;
  unmap_blank(c);
  if (v->ended != 0 || say(v, "{\"drop\":true}\n") != 0) return tell_end(v, error);
  return hear_answer(c, "dropped", NULL, timeout, error);
}

static int leave(dmabuf_contributor *c, dmabuf_error *error) {
  visitor *v = &c->visitor;
  unmap_blank(c);
  if (v->ended != 0 || send_line(v, c->line.bytes, c->line.length) != 0) return tell_end(v, error);
  end_with(v, DMABUF_END, "");
  return 0;
}

int dmabuf_contributor_end(dmabuf_contributor *c, dmabuf_error *error) {
  c->line.length = 0;
  c->line.full = 0;
  puts_to(&c->line, "{\"end\":true}\n");
  return leave(c, error);
}

int dmabuf_contributor_fail(dmabuf_contributor *c, int code, const char *message, dmabuf_error *error) {
  c->line.length = 0;
  c->line.full = 0;
  put_string(&c->line, "{\"fail\":{\"code\":", dmabuf_error_name(code));
  put_string(&c->line, ",\"message\":", message == NULL ? "" : message);
  puts_to(&c->line, "}}\n");
  if (c->line.full) return fails(error, EINVAL, "The message is too long");
  return leave(c, error);
}

void dmabuf_contributor_close(dmabuf_contributor *c) {
  if (c == NULL) return;
  size_t length = (size_t)c->visitor.format.size;
  for (int i = 0; i < DMABUF_MOST_PLACES; i++)
    if (c->places[i] != NULL) munmap(c->places[i], length);
  end_visitor(&c->visitor);
  free(c);
}

dmabuf_picture dmabuf_no_picture(void) {
  dmabuf_picture nothing = {-1, 0, 0, 0, 0, 0, 0, -1, -1, NULL, NULL, NULL, -1};
  return nothing;
}

dmabuf_publication dmabuf_no_publication(void) {
  dmabuf_publication nothing = {NULL, NULL, NULL, NULL};
  return nothing;
}
