/* graph_of_parts PLUGIN DEVICE: y = z * sigmoid(1.5 z), z = x + bias, said in the catalogue's operators. Prints where its nodes run; ends with 1 when
 * a value is wrong. */
#include <backplane.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bp_failure failure = {sizeof failure};

static void must(int32_t status) {
  if (status == BP_OK) return;
  fprintf(stderr, "%s\n", failure.message);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const char *plugins[] = {argv[1]};
  bp_runtime_options options = {sizeof options};
  options.flags = BP_RUNTIME_ONLY_PATHS;
  options.plugin_paths = plugins;
  options.n_plugin_paths = 1;
  bp_compile_options compile = {sizeof compile};
  compile.devices = argv[2];
  const int64_t rows[] = {2, 3}, row[] = {3};
  const float bias[] = {0.5f, -1, 2}, values[] = {1, -2, 3, 0, 1, -8};
  float results[6];
  char report[4096];
  size_t needed;
  uint32_t x, b, z, scaled, gate, y;
  bp_runtime runtime;
  bp_model model;
  bp_compiled compiled;
  bp_session session;
  must(bp_runtime_create(&options, &runtime, &failure));
  must(bp_model_create(&model, &failure));
  must(bp_model_input(model, "x", "f32", 2, rows, &x, &failure));
  must(bp_model_constant(model, "bias", "f32", 1, row, bias, sizeof bias, NULL, NULL, &b, &failure));
  must(bp_model_apply(model, "add", (uint32_t[]){x, b}, 2, NULL, NULL, 0, &z, 1, &failure));
  must(bp_model_apply(model, "scale", &z, 1, "{\"factor\": 1.5}", NULL, 0, &scaled, 1, &failure));
  must(bp_model_apply(model, "sigmoid", &scaled, 1, NULL, NULL, 0, &gate, 1, &failure));
  must(bp_model_apply(model, "mul", (uint32_t[]){z, gate}, 2, NULL, "y", 0, &y, 1, &failure));
  must(bp_model_output(model, y, NULL, &failure));
  must(bp_model_compile(runtime, model, &compile, &compiled, &failure));
  must(bp_compiled_report(compiled, BP_REPORT_PLACEMENT_TEXT, report, sizeof report, &needed, &failure));
  must(bp_session_create(compiled, &session, &failure));
  must(bp_session_write(session, x, values, sizeof values, &failure));
  must(bp_session_run(session, NULL, 0, NULL, &failure));
  must(bp_session_read(session, y, results, sizeof results, &failure));
  printf("%s\n", report);
  for (int i = 0; i < 6; i++) {
    double sum = values[i] + bias[i % 3], wanted = sum / (1 + exp(-1.5 * sum));
    if (fabs(results[i] - wanted) > 1e-5) return fprintf(stderr, "y[%d] is %g, not %g\n", i, results[i], wanted), 1;
  }
  const void *handles[] = {session, compiled, model, runtime};
  for (int i = 0; i < 4; i++) must(bp_free(handles[i]));
  return 0;
}
