import Testing

/// AMX's kernels over the model of its tiles, judged by the suite's quick list: what an owner of such a processor runs with `cpu.amx=1`.
@Suite struct TileConformanceTests {
  #if arch(x86_64)
  @Test(arguments: ["matmul_i8_amxmodel", "matmul_bf16_amxmodel", "matmul_gated_bf16_amxmodel"]) func kernelsOfTilesConform(kernel: String) throws {
    let op = kernel.hasPrefix("matmul_gated") ? "matmul_gated" : "matmul"
    let run = try Tool.run(["conform", "--device", "cpu", "--quick", "--claimed", "--set", "cpu.isa=amxmodel", "--op", op, "--variant", "\(op)=\(kernel)"])
    #expect(run.status == 0 && run.output.contains("conformant: what it claims of \(op) (quick)"), "\(run.output)")
  }

  @Test func askingForTilesWithoutThemSaysWhatIsMissing() throws {
    let run = try Tool.run(["conform", "--device", "cpu", "--quick", "--set", "cpu.amx=1", "--op", "abs"])
    #expect(run.status == 0 || run.errors.contains("cpu.amx is \"1\", but this machine lacks "), "\(run.errors)")
  }
  #endif
}
