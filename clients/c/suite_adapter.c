/* The adapter of this client for dmabuf-client-suite: see packages/client-suite/README.md. It reads commands with the client's own JSON. */
#include "dmabuf_visitor.c"

static dmabuf_viewer *viewer;
static dmabuf_contributor *contributor;
static dmabuf_frame frame;
static dmabuf_blank blank;
static dmabuf_error error;
static json command;

static uint32_t crc_of(const uint8_t *bytes, uint64_t length) {
  uint32_t crc = 0xffffffffu;
  for (uint64_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

static const char *text_in(size_t object, const char *name, char *out, size_t size) {
  return string_of(&command, field(&command, object, name), out, size) ? out : NULL;
}

static double number_in(size_t object, const char *name, double otherwise) {
  size_t index = field(&command, object, name);
  return index == NO_VALUE || command.values[index].type != 'n' ? otherwise : strtod(command.text + command.values[index].start, NULL);
}

static void say_string(const char *name, const char *some) {
  static text t;
  t.length = 0;
  put_string(&t, name, some);
  fwrite(t.bytes, 1, t.length, stdout);
}

static void say_format(const dmabuf_format *f) {
  say_string(",\"format\":{\"kind\":", f->kind);
  printf(",\"size\":%ju,\"planes\":[", (uintmax_t)f->size);
  for (size_t i = 0; i < f->plane_count; i++) {
    const dmabuf_plane *p = &f->planes[i];
    printf("%s{\"offset\":%ju,\"stride\":%ju,\"width\":%ju,\"height\":%ju,\"bytesPerSample\":%ju}", i > 0 ? "," : "",
           (uintmax_t)p->offset, (uintmax_t)p->stride, (uintmax_t)p->width, (uintmax_t)p->height, (uintmax_t)p->bytes_per_sample);
  }
  printf("],\"width\":%ju,\"height\":%ju,\"shape\":[", (uintmax_t)f->width, (uintmax_t)f->height);
  for (size_t i = 0; i < f->dimensions; i++) printf("%s%ju", i > 0 ? "," : "", (uintmax_t)f->shape[i]);
  printf("],\"channels\":%ju,\"rate\":%ju,\"samples\":%ju", (uintmax_t)f->channels, (uintmax_t)f->rate, (uintmax_t)f->samples);
  say_string(",\"pixelFormat\":", f->pixel_format);
  say_string(",\"type\":", f->type);
  say_string(",\"layout\":", f->layout);
  printf("}");
}

static int view(int timeout, int as_viewer) {
  static char where[256], name[256], policy[32], group[256];
  unsigned users[16];
  dmabuf_options options;
  memset(&options, 0, sizeof options);
  options.timeout = timeout;
  options.name = text_in(0, "name", name, sizeof name);
  options.policy = text_in(0, "policy", policy, sizeof policy);
  options.group = text_in(0, "group", group, sizeof group);
  options.users = users;
  size_t list = field(&command, 0, "users");
  if (list != NO_VALUE)
    for (size_t at = list + 1; at < command.values[list].next && options.user_count < 16; at = command.values[at].next)
      users[options.user_count++] = (unsigned)strtoul(command.text + command.values[at].start, NULL, 10);
  if (text_in(0, "where", where, sizeof where) == NULL) return fails(&error, EINVAL, "There is no place");
  int code = as_viewer ? dmabuf_viewer_connect(&viewer, where, &options, &error)
                       : dmabuf_contributor_connect(&contributor, where, &options, &error);
  if (code != 0) return code;
  say_string("{\"ok\":true,\"name\":", as_viewer ? dmabuf_viewer_name(viewer) : dmabuf_contributor_name(contributor));
  if (as_viewer) say_string(",\"policy\":", dmabuf_viewer_policy(viewer));
  else printf(",\"dataBytes\":%ju", (uintmax_t)dmabuf_contributor_data_bytes(contributor));
  say_format(as_viewer ? dmabuf_viewer_format(viewer) : dmabuf_contributor_format(contributor));
  printf("}\n");
  return 0;
}

static int next(int timeout) {
  int code = dmabuf_viewer_next(viewer, &frame, timeout, &error);
  if (code == DMABUF_END) return printf("{\"ok\":true,\"frame\":null}\n"), 0;
  if (code != 0) return code;
  printf("{\"ok\":true,\"frame\":{\"sequence\":%.17g,\"timestamp\":%.17g,\"publishedAt\":%.17g,\"length\":%ju,\"crc\":%u", frame.sequence,
         frame.timestamp, frame.published_at, (uintmax_t)frame.length, crc_of(frame.bytes, frame.length));
  if (frame.data != NULL) printf(",\"data\":%s", frame.data);
  if (frame.has_picture) {
    static text t;
    t.length = 0;
    put_picture(&t, &frame.picture);
    fwrite(t.bytes, 1, t.length, stdout);
  }
  printf("}}\n");
  return 0;
}

static int look(void) {
  double plane = number_in(0, "plane", -1);
  const dmabuf_plane *p = plane < 0 ? NULL : &dmabuf_viewer_format(viewer)->planes[(size_t)plane];
  printf("{\"ok\":true,\"crc\":%u}\n", p == NULL ? crc_of(frame.bytes, frame.length) : crc_of(frame.bytes + p->offset, p->stride * p->height));
  return 0;
}

static int loan(int timeout) {
  int code = dmabuf_contributor_loan(contributor, &blank, timeout, &error);
  if (code > 0) return code;
  printf("{\"ok\":true,\"blank\":%s}\n", code == 0 ? "true" : "false");
  return 0;
}

static int fill(void) {
  unsigned seed = (unsigned)number_in(0, "seed", 0);
  for (uint64_t i = 0; i < blank.length; i++) blank.bytes[i] = (uint8_t)(seed + i + i / 256);
  printf("{\"ok\":true,\"crc\":%u}\n", crc_of(blank.bytes, blank.length));
  return 0;
}

static const char *color(size_t space, const char *name, char *out) {
  size_t index = field(&command, space, name);
  return index == NO_VALUE ? NULL : string_of(&command, index, out, 32) ? out : "";
}

static int truth(size_t object, const char *name, int unknown) {
  size_t index = field(&command, object, name);
  return index == NO_VALUE ? -1 : command.values[index].type == 't' ? 1 : command.values[index].type == 'f' ? 0 : unknown;
}

static int publish(int timeout) {
  static char data[LONGEST_LINE], names[3][32];
  dmabuf_publication p = dmabuf_no_publication();
  dmabuf_picture picture = dmabuf_no_picture();
  double timestamp = number_in(0, "timestamp", NAN), sequence;
  uint64_t length;
  size_t shown = field(&command, 0, "picture"), sent = field(&command, 0, "data");
  if (!isnan(timestamp)) p.timestamp = &timestamp;
  if (count_of(&command, field(&command, 0, "length"), &length)) p.length = &length;
  if (sent != NO_VALUE) {
    int quoted = command.values[sent].type == '"';
    size_t start = command.values[sent].start - (quoted ? 1 : 0), end = command.values[sent].end + (quoted ? 1 : 0);
    if (end - start >= sizeof data) return fails(&error, EOVERFLOW, "The data are too long");
    memcpy(data, command.text + start, end - start);
    data[end - start] = 0;
    p.data = data;
  }
  if (shown != NO_VALUE) {
    size_t rect = field(&command, shown, "visibleRect"), space = field(&command, shown, "colorSpace");
    picture.duration = number_in(shown, "duration", -1);
    picture.display_width = (uint64_t)number_in(shown, "displayWidth", 0);
    picture.display_height = (uint64_t)number_in(shown, "displayHeight", 0);
    picture.rotation = (int)number_in(shown, "rotation", -1);
    picture.flip = truth(shown, "flip", 0);
    picture.x = (uint64_t)number_in(rect, "x", 0);
    picture.y = (uint64_t)number_in(rect, "y", 0);
    picture.width = (uint64_t)number_in(rect, "width", 0);
    picture.height = (uint64_t)number_in(rect, "height", 0);
    picture.primaries = color(space, "primaries", names[0]);
    picture.transfer = color(space, "transfer", names[1]);
    picture.matrix = color(space, "matrix", names[2]);
    picture.full_range = truth(space, "fullRange", 2);
    p.picture = &picture;
  }
  int code = dmabuf_contributor_publish(contributor, &p, &sequence, timeout, &error);
  if (code == 0) printf("{\"ok\":true,\"sequence\":%.0f}\n", sequence);
  return code;
}

static void close_all(void) {
  dmabuf_viewer_close(viewer);
  dmabuf_contributor_close(contributor);
  viewer = NULL;
  contributor = NULL;
}

static int fail(void) {
  char code[32] = "", message[256] = "";
  size_t failure = field(&command, 0, "failure");
  string_of(&command, field(&command, failure, "code"), code, sizeof code);
  string_of(&command, field(&command, failure, "message"), message, sizeof message);
  return dmabuf_contributor_fail(contributor, code_of(code), message, &error);
}

/* 0 if it has answered, DMABUF_END if all is well and there is nothing to say, an error. */
static int run(const char *what) {
  int timeout = (int)number_in(0, "timeout", 5000), is_ok = 1;
  if (strcmp(what, "hello") == 0) printf("{\"ok\":true,\"client\":\"C\",\"roles\":[\"viewer\",\"contributor\"],\"pid\":%d}\n", (int)getpid());
  else if (strcmp(what, "view") == 0) return view(timeout, 1);
  else if (strcmp(what, "contribute") == 0) return view(timeout, 0);
  else if (strcmp(what, "close") == 0) return close_all(), DMABUF_END;
  else if (viewer != NULL && strcmp(what, "next") == 0) return next(timeout);
  else if (viewer != NULL && strcmp(what, "look") == 0) return look();
  else if (viewer != NULL && strcmp(what, "done") == 0) is_ok = dmabuf_viewer_done(viewer, &error);
  else if (contributor != NULL && strcmp(what, "loan") == 0) return loan(timeout);
  else if (contributor != NULL && strcmp(what, "fill") == 0) return fill();
  else if (contributor != NULL && strcmp(what, "publish") == 0) return publish(timeout);
  else if (contributor != NULL && strcmp(what, "drop") == 0) is_ok = dmabuf_contributor_drop(contributor, timeout, &error);
  else if (contributor != NULL && strcmp(what, "end") == 0) is_ok = dmabuf_contributor_end(contributor, &error);
  else if (contributor != NULL && strcmp(what, "fail") == 0) is_ok = fail();
  else return fails(&error, ENOSYS, "Cannot do \"%s\" now", what);
  return is_ok == 1 ? 0 : is_ok == 0 ? DMABUF_END : is_ok;
}

int main(void) {
  char *line = NULL, what[32];
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&line, &room, stdin)) > 0) {
    if (read_json(&command, line, (size_t)length) != 0 || text_in(0, "do", what, sizeof what) == NULL) return 2;
    int code = run(what);
    if (code == DMABUF_END) printf("{\"ok\":true}\n");
    else if (code != 0) {
      say_string("{\"error\":{\"code\":", dmabuf_error_name(code));
      say_string(",\"message\":", error.message);
      printf("}}\n");
    }
    fflush(stdout);
  }
  close_all();
  free(line);
  free(command.values);
  return 0;
}
