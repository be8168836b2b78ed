import BackplaneABI
import BackplanePluginKit
import CPUKernels

extension Kernel {
  /// What may be chosen for the kernel: `threads` and `chunk`, which the step loop knows, then the kernel's own.
  func parameters(workers: Int) -> [OfferedVariant.Parameter] {
    let threads = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128].filter { $0 < workers } + [workers]
    func number(_ name: String, _ standard: Int, _ values: [Int], affects: UInt32) -> OfferedVariant.Parameter {
      .init(name: name, kind: BP_PARAM_NUMBER, affects: affects, standard: standard, values: values)
    }
    let common = [number("threads", workers, threads, affects: 0), number("chunk", 100, workers == 1 ? [100] : [25, 50, 100, 200, 400], affects: 0)]
    return common + UnsafeBufferPointer(start: pointer.pointee.parameters, count: Int(pointer.pointee.n_parameters)).map { own in
      let values = withUnsafeBytes(of: own.values) { bytes in (0..<Int(own.count)).map { Int(bytes.load(fromByteOffset: 8 * $0, as: Int64.self)) } }
      return number(bp_str(cString: own.name).string, Int(own.standard), values, affects: BP_AFFECTS_RESULT)
    }
  }

  func offered(workers: Int) -> OfferedVariant {
    OfferedVariant(name: name.string, numerics: isRounding ? BP_NUMERICS_STANDARD : BP_NUMERICS_STRICT, declares: declares,
                   parameters: parameters(workers: workers), constraints: pointer.pointee.constraint.map { bp_str(cString: $0).string } ?? "",
                   kernelHash: 0)
  }

  /// A value for each parameter, from those given for the first of them.
  func values(_ given: [Int], workers: Int) throws(Refusal) -> [Int] {
    let parameters = parameters(workers: workers)
    guard given.count <= parameters.count else { throw Refusal(reason: BP_REASON_ATTRIBUTE, limit: Int64(parameters.count), actual: Int64(given.count)) }
    for (parameter, value) in zip(parameters, given) where !parameter.values.contains(value) { throw Refusal(reason: BP_REASON_ATTRIBUTE, actual: Int64(value)) }
    return given + parameters[given.count...].map(\.standard)
  }
}
