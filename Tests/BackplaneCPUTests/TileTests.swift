import BackplaneABI
import BackplaneCore
import BackplaneReference
import Foundation
import Testing
import _TestSupport

/// AMX: the model of its instructions, the kernels' code, and that nobody gets them who did not ask. What the kernels compute with the model is
/// judged at the level `amxmodel` of JudgedTests.
@Suite struct TileTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized.path
  private static let kernels = root + "/Kernels/CPU"
  private static let flags = ["-O2", "-std=gnu2x", "-I\(kernels)/include", "-I\(kernels)/matmul", "-I\(root)/Sources/BackplaneABI/include"]

  #if arch(x86_64)
  @Test(arguments: testsTiles ? [true, false] : [true]) func tilesDoWhatTheManualSays(inTheModel: Bool) throws {
    let folder = try TemporaryFolder(), program = folder.path + "/check", clang = try Tool("clang")
    let check = [Self.root + "/Tests/_AMXModel/check.c", "-lm", "-o", program]
    if inTheModel {
      try clang.run(Self.flags + ["-DBP_AMX_MODEL=1", Self.kernels + "/matmul/amx_model.c"] + check)
    } else {
      try clang.run(Self.flags + ["-DBP_AMX_MODEL=0", "-mamx-tile", "-mamx-int8", "-mamx-bf16"] + check)
    }
    let result = try Tool("env").attempt([program])
    #expect(result.status == 0 || !inTheModel && result.status == 77, "\(result.output)")  // 77: no tiles here
  }

  @Test(arguments: [("i8", "tdpbssd"), ("bf16", "tdpbf16ps")]) func kernelsAreMadeOfTileInstructions(type: String, product: String) throws {
    let folder = try TemporaryFolder(), code = folder.path + "/kernel.s"
    try Tool("clang").run(Self.flags + ["-S", Self.kernels + "/matmul/matmul_\(type)_amx.c", "-o", code])
    let text = try String(contentsOfFile: code, encoding: .utf8)
    for instruction in ["ldtilecfg", "tileloadd", "tilezero", product, "tilestored", "tilerelease"] { #expect(text.contains("\t" + instruction), "\(instruction)") }
  }
  #endif

  /// The kernel that a product of 20 rows gets in fast numerics.
  private func kernel(_ settings: [String: String], _ format: ElementFormat) throws -> String {
    let graph = single("matmul", [(.f32, [20, 256]), (format, [8, 256]), nil, nil], [Attribute("transpose_b", .int(1)), Attribute("activation", .string("none"))],
                       to: [(.f32, [20, 8])], numerics: .fast)
    let detail = try TestDevice(settings).verdicts(try ABIGraph(graph))[0].detail
    return String(decoding: UnsafeRawBufferPointer(start: detail.ptr, count: Int(detail.len)), as: UTF8.self)
  }

  @Test func tilesAreUsedOnlyWhereTheyAreAskedFor() throws {
    for format in [ElementFormat.f32, .q4_0] { #expect(try !kernel([:], format).contains("amx")) }
    for setting in [["cpu.isa": "amx"], ["cpu.amx": "1"]] {
      do {
        #expect(try kernel(setting, .q4_0) == "matmul_i8_amx")
        #expect(try kernel(setting, .f32) == "matmul_bf16_amx")
      } catch let error as Failure {
        let words = ["AMX-TILE", "AMX-INT8", "AMX-BF16", "XCR0", "ARCH_REQ_XCOMP_PERM", "x86-64"]
        #expect(error.status == BP_E_UNSUPPORTED && error.record.reason == BP_REASON_ISA && error.message.contains("this machine lacks"), "\(error)")
        #expect(words.contains { error.message.contains($0) }, "\(error)")
      }
    }
    let unknown = #expect(throws: Failure.self) { _ = try TestDevice(["cpu.amx": "yes"]) }
    #expect(unknown?.message.contains("valid are 0, 1") == true)
  }

  @Test(.enabled(if: levels.contains("avx2"), "needs AVX2")) func theModelIsALevel() throws {
    #expect(try kernel(["cpu.isa": "amxmodel"], .q4_0) == "matmul_i8_amxmodel")
    #expect(try kernel(["cpu.isa": "amxmodel"], .f32) == "matmul_bf16_amxmodel")
    #expect(try kernel(["cpu.isa": "amxmodel"], .f16) == "matmul_avx2")
  }
}
