/* Fills a stream from its standard input: `feed PLACE`. Each frame is read into the stream's own memory; the last one must be whole. */
#include <stdio.h>
#include <string.h>

#include "dmabuf_visitor.h"

int main(int count, char **arguments) {
  dmabuf_error error;
  dmabuf_contributor *contributor;
  dmabuf_blank blank;
  dmabuf_options options;
  dmabuf_publication nothing = dmabuf_no_publication();
  int code;
  if (count != 2) return fprintf(stderr, "usage: feed PLACE < FRAMES\n"), 2;
  memset(&options, 0, sizeof options);
  options.timeout = 5000;
  options.name = "feed";
  code = dmabuf_contributor_connect(&contributor, arguments[1], &options, &error);
  if (code != 0) return fprintf(stderr, "feed: %s: %s\n", dmabuf_error_name(code), error.message), 1;
  setvbuf(stdin, NULL, _IONBF, 0); /* no other copy of the frame */
  while ((code = dmabuf_contributor_loan(contributor, &blank, -1, &error)) == 0) {
    if (fread(blank.bytes, 1, blank.length, stdin) != blank.length) break;
    if ((code = dmabuf_contributor_publish(contributor, &nothing, NULL, 5000, &error)) != 0) break;
  }
  if (code == 0) code = dmabuf_contributor_end(contributor, &error);
  if (code > 0) fprintf(stderr, "feed: %s: %s\n", dmabuf_error_name(code), error.message);
  dmabuf_contributor_close(contributor);
  return code > 0;
}
