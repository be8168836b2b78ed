import BackplaneABI
import Foundation
import Testing
@testable import BackplaneConformance

/// The NEON kernels against the oracle, in an emulator: some forty of the suite's cases of each of the operators that have such a
/// kernel, or all where the environment says `BACKPLANE_ARM_CASES=all`.
@Suite struct ARMKernelTests {
  /// BP_CPU_NEON, BP_CPU_DOTPROD and BP_CPU_I8MM of cpu_kernels.h.
  private static let neon: UInt32 = 256, dotprod: UInt32 = 512, i8mm: UInt32 = 1024

  /// Operators of Kernels/CPU/vector_kernels.def.
  private static let operators: [String] = {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Kernels/CPU/vector_kernels.def").standardized
    let lines = ((try? String(contentsOf: path, encoding: .utf8)) ?? "").split(separator: "\n").filter { $0.hasPrefix("BP_VECTOR_KERNEL(") }
    return Array(Set(lines.map { String($0.dropFirst("BP_VECTOR_KERNEL(".count).prefix { $0 != "," }) })).sorted()
  }()

  private static let casesOfEach = ProcessInfo.processInfo.environment["BACKPLANE_ARM_CASES"] == "all" ? Int.max : 40

  @Test(.enabled(if: Emulator.missing == nil, "needs \(Emulator.missing ?? "")"))
  func neonKernelsKeepTheirBounds() throws {
    #expect(Self.operators.count > 20)
    let emulator = try Emulator()
    var calls: [KernelCall] = []
    for spec in CaseList.operators(level: .llm, named: Self.operators) {
      let ids = CaseList.cases(of: spec, size: .standard).filter { $0.memory != .symbolic && $0.memory != .strided }
      for i in stride(from: 0, to: ids.count, by: ids.count / Self.casesOfEach + 1) {
        calls.append(try KernelCall(ids[i], isa: Self.neon, workers: calls.count % 3 == 0 ? 1 : 3))
      }
    }
    var answers = try emulator.run(calls.reduce(into: Data()) { $0.append($1.bytes) })
    var used: [String: Int] = [:], ran: Set<String> = []
    for call in calls {
      guard let (kernel, result) = try call.judge(&answers) else {
        Issue.record("the driver crashed at \(call.id)")
        return
      }
      guard let kernel else { continue }
      used[kernel, default: 0] += 1
      ran.insert(call.id.op)
      #expect(result.outcome == .pass, "\(kernel): \(call.id): \(result.message ?? "")")
    }
    // Each operator has cases that a NEON kernel takes, and each vector kernel ran.
    let vector = used.filter { $0.key.hasSuffix("_neon") }
    #expect(ran == Set(Self.operators))
    #expect(vector.count >= Self.operators.count, "\(vector.keys.sorted())")
    #expect(vector.values.reduce(0, +) > 200, "\(vector)")
  }

  /// Products with activations of 8 bits: of every weight format, for few rows and for many.
  @Test(.enabled(if: Emulator.missing == nil, "needs \(Emulator.missing ?? "")"))
  func productsOfRoundedActivationsKeepTheirBounds() throws {
    let emulator = try Emulator(), operators = ["matmul", "matmul_gated", "norm_matmul", "qkv_rope_cache"]
    var calls: [KernelCall] = []
    for spec in CaseList.operators(level: .llm, named: operators) {
      let ids = CaseList.cases(of: spec, size: .standard).filter { $0.memory != .symbolic && $0.memory != .strided }
      for (i, id) in ids.enumerated() where Self.casesOfEach == Int.max || i % 5 == 0 {
        for isa in [Self.neon | Self.dotprod, Self.neon | Self.dotprod | Self.i8mm] { calls.append(try KernelCall(id, isa: isa, workers: calls.count % 4 < 2 ? 1 : 3)) }
      }
    }
    var answers = try emulator.run(calls.reduce(into: Data()) { $0.append($1.bytes) })
    var used: [String: Int] = [:]
    for call in calls {
      guard let (kernel, result) = try call.judge(&answers) else {
        Issue.record("the driver crashed at \(call.id)")
        return
      }
      guard let kernel, kernel.contains("_i8_") else { continue }
      used[kernel, default: 0] += 1
      #expect(result.outcome == .pass, "\(kernel): \(call.id): \(result.message ?? "")")
    }
    for op in operators {
      for isa in ["dotprod", "i8mm"] { #expect(used["\(op)_i8_\(isa)"] ?? 0 > 0, "\(used)") }  // gate and up of one format are rare
    }
  }
}
