import Backplane
import BackplaneTuner
import Foundation

/// What a device could do at most, as far as it is known: of processors, and of drivers that compute on them, what this machine's limits are measured to be.
final class TuningLimits {
  private let threads: Int
  private lazy var machine = MachineLimits.measure(ThreadPool(workers: threads))

  /// nil with effort `quick`, and beside other work: measuring takes some five seconds.
  init?(_ arguments: Arguments) {
    guard arguments["effort"] != "quick", arguments["share"] == nil, arguments["budget"].map({ !$0.hasSuffix("s") || (Double($0.dropLast()) ?? 0) >= 30 }) ?? true else { return nil }
    threads = (try? arguments.int("threads", 1...1024)) ?? ProcessInfo.processInfo.activeProcessorCount
  }

  /// With every operand read once.
  func microseconds(_ work: CaseWork, _ device: Device, _ numerics: Numerics) -> Double? {
    guard device.info.kind == .cpu else { return nil }
    return 1e6 * machine.leastSeconds(operations: 2 * work.multiplyAdds, int8: numerics == .fast && work.multiplyAdds > 0, bytes: Int(work.bytes))
  }
}
