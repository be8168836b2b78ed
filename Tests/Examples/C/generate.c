// Generates text with a language model: generate MODEL.gguf "PROMPT"
//   cc generate.c $(pkg-config --cflags --libs backplane)
#include <backplane.h>
#include <stdio.h>

static int32_t show(void *user, const char *text, size_t byte_count, int32_t token) {
  (void)token;
  fwrite(text, 1, byte_count, user);
  return fflush(user);
}

int main(int argc, char **argv) {
  bp_runtime runtime = NULL;
  bp_model model = NULL;
  bp_generator generator = NULL;
  bp_failure failure = {sizeof failure};
  bp_generate_options options = {sizeof options};
  options.maximum_tokens = 32;
  if (argc != 3) return fprintf(stderr, "usage: %s MODEL.gguf PROMPT\n", argv[0]), 2;
  if (bp_runtime_create(NULL, &runtime, &failure) || bp_model_load(argv[1], NULL, &model, &failure) ||
      bp_generator_create(runtime, model, NULL, &generator, &failure) ||
      bp_generate(generator, argv[2], &options, show, stdout, NULL, &failure)) {
    fprintf(stderr, "%s\n", failure.message);
  }
  puts("");
  bp_free(generator), bp_free(model), bp_free(runtime);
  return failure.code ? 1 : 0;
}
