import BackplaneABI
import BackplanePluginKit
import CPUKernels

/// A kernel of this build, and what the verdict of a node that it runs declares.
struct Kernel: @unchecked Sendable {
  let pointer: UnsafePointer<bp_cpu_kernel>
  /// Static text of the build.
  let name: bp_str
  let declares: bp_array

  init(_ pointer: UnsafePointer<bp_cpu_kernel>, memory: RecordMemory) {
    self.pointer = pointer
    name = bp_str(cString: pointer.pointee.name)
    var attributes: [bp_attr] = []
    if pointer.pointee.act_block != 0 { attributes.append(memory.attribute("act_block", Int(pointer.pointee.act_block))) }
    for (name, text) in [("operand_round", pointer.pointee.operand_round), ("p_round", pointer.pointee.p_round)] {
      if let text { attributes.append(memory.attribute(name, String(cString: text))) }
    }
    if pointer.pointee.ftz != 0 { attributes.append(memory.attribute("ftz", 1)) }
    declares = memory.list(attributes)
  }

  /// Rounds more than f32 arithmetic does.
  var isRounding: Bool { declares.count > 0 }
}

extension bp_str {
  /// Static text.
  init(cString: UnsafePointer<CChar>) {
    var length: UInt64 = 0
    while cString[Int(length)] != 0 { length += 1 }
    self.init(ptr: cString, len: length)
  }
}

/// The kernels that an instance may use, by operator.
final class KernelCatalogue: Sendable {
  /// In the order of kernels.def: of two that take a call, the later one is better.
  let kernels: [bp_id: [Kernel]]
  /// From the setting `cpu.kernel.<operator>`: only this one.
  let forced: [bp_id: Kernel]
  let isa: UInt32
  private let memory = RecordMemory()

  init(_ instance: Instance) throws(PluginError) {
    isa = instance.isa
    var count: UInt32 = 0
    let table = bp_cpu_kernels(&count)!
    var kernels: [bp_id: [Kernel]] = [:], forced: [bp_id: Kernel] = [:]
    for i in 0..<Int(count) {
      let kernel = Kernel(table[i]!, memory: memory)
      let op = bp_str(cString: kernel.pointer.pointee.op).string
      kernels[identifier(op), default: []].append(kernel)
    }
    for (op, list) in kernels {
      let name = bp_str(cString: list[0].pointer.pointee.op).string
      guard let wanted = instance.host.setting("cpu.kernel.\(name)"), !wanted.isEmpty else { continue }
      guard let kernel = list.first(where: { $0.name.string == wanted }) else {
        throw .invalid("cpu.kernel.\(name) is \"\(wanted)\"; valid are \(list.map(\.name.string).joined(separator: ", "))")
      }
      forced[op] = kernel
    }
    (self.kernels, self.forced) = (kernels, forced)
  }

  /// The best kernel for a call (extents at their bounds, no data). One that rounds activations is taken by itself only where the caller
  /// asks for fast numerics; in standard ones where it is named.
  func choose(_ op: bp_id, _ call: UnsafePointer<bp_cpu_call>) throws(Refusal) -> Kernel {
    guard let list = kernels[op] else { throw Refusal(reason: BP_REASON_OP_UNKNOWN) }
    if let kernel = forced[op] {
      try check(kernel, call)
      return kernel
    }
    var first: Refusal?  // the most general kernel's reason says most
    for kernel in list.reversed() where !kernel.isRounding || call.pointee.numerics == BP_NUMERICS_FAST {
      do throws(Refusal) {
        try check(kernel, call)
        return kernel
      } catch {
        first = error
      }
    }
    throw first!
  }

  /// Every kernel that takes the call, that first which runs when nobody chooses: outside fast numerics those that round come last.
  func all(_ op: bp_id, _ call: UnsafePointer<bp_cpu_call>) -> [Kernel] {
    let taken = (kernels[op] ?? []).reversed().filter { (try? check($0, call)) != nil }
    return call.pointee.numerics == BP_NUMERICS_FAST ? taken : taken.filter { !$0.isRounding } + taken.filter(\.isRounding)
  }

  /// The kernel that is named, else the best.
  func kernel(_ op: bp_id, _ variant: bp_id?, _ call: UnsafePointer<bp_cpu_call>) throws(Refusal) -> Kernel {
    guard let variant else { return try choose(op, call) }
    guard let kernel = (kernels[op] ?? []).first(where: { identifier($0.name.string) == variant }) else { throw Refusal(reason: BP_REASON_FEATURE) }
    try check(kernel, call)
    return kernel
  }

  func check(_ kernel: Kernel, _ call: UnsafePointer<bp_cpu_call>) throws(Refusal) {
    let needs = kernel.pointer.pointee.needs
    guard needs & ~isa == 0 else { throw Refusal(reason: BP_REASON_ISA, limit: Int64(isa), actual: Int64(needs)) }
    guard call.pointee.numerics != BP_NUMERICS_STRICT || !kernel.isRounding else { throw Refusal(reason: BP_REASON_NUMERICS) }
    var why = bp_cpu_refusal()
    guard kernel.pointer.pointee.supports(call, &why) == 0 else { return }
    throw Refusal(reason: why.reason, operand: why.operand, limit: why.limit, actual: why.actual)
  }
}
