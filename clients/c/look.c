/* Looks at a stream: `look PLACE [FRAMES]` says what each frame is; `look PLACE FRAMES raw` writes the frames' bytes to its standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmabuf_visitor.h"

int main(int count, char **arguments) {
  dmabuf_error error;
  dmabuf_viewer *viewer;
  dmabuf_frame frame;
  dmabuf_options options;
  if (count < 2) return fprintf(stderr, "usage: look PLACE [FRAMES [raw]]\n"), 2;
  long frames = count > 2 ? strtol(arguments[2], NULL, 10) : 10;
  int raw = count > 3 && strcmp(arguments[3], "raw") == 0, code;
  memset(&options, 0, sizeof options);
  options.timeout = 5000;
  options.name = "look";
  if (dmabuf_viewer_connect(&viewer, arguments[1], &options, &error) != 0) {
    fprintf(stderr, "look: %s: %s\n", dmabuf_error_name(error.code), error.message);
    return 1;
  }
  code = 0;
  while (frames-- > 0 && (code = dmabuf_viewer_next(viewer, &frame, -1, &error)) == 0) {
    /* The frame's own memory goes into the pipe: what has read it there has the only copy. */
    if (raw && fwrite(frame.bytes, 1, frame.length, stdout) != frame.length) break;
    if (!raw) printf("%.0f: %llu bytes, data %s\n", frame.sequence, (unsigned long long)frame.length, frame.data ? frame.data : "none");
    fflush(stdout);
  }
  if (code > 0) fprintf(stderr, "look: %s: %s\n", dmabuf_error_name(code), error.message);
  dmabuf_viewer_close(viewer);
  return code > 0;
}
