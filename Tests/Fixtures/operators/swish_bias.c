static void swish_bias(const call *c) {
  const float *x = c->in[0].data, *bias = c->in[1].data;
  float *y = c->out.data, beta = (float)c->node->f[BP_DEMO_SWISH_BIAS_BETA];
  int64_t n = columns(&c->out);
  for (int64_t i = 0, total = count(&c->out); i < total; i++) {
    float z = x[i] + bias[i % n] * BIAS_FACTOR;
    y[i] = z * (1.0f / (1.0f + expf(-beta * z))); /* not z / …: -inf / inf is no number */
  }
}
