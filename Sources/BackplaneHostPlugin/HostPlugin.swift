import BackplaneABI
import BackplaneCore
import BackplaneSpecs

/// What the nodes of a graph mean to a ``HostPlugin``. Any thread, several at once.
public protocol NodeEvaluator: Sendable {
  /// Why a node cannot be run, with a reason of the catalogue; nil when it can. The graph has been checked.
  func refusal(of graph: Graph, node: Int) -> BackplaneError?
  /// - Throws: ``BackplaneError`` with the reason GRAPH_LIMIT and the first `node` that must be left to another program.
  func checkSize(_ graph: Graph) throws(BackplaneError)
  /// Runs a graph that was not refused.
  ///
  /// - Parameters:
  ///   - tensors: Memory of every input, constant, state and output of the graph.
  ///   - isCancelled: To be asked before each node.
  func run(_ graph: Graph, _ tensors: [TensorID: BoundTensor], _ symbols: SymbolValues, _ isCancelled: () -> Bool) throws(BackplaneError)
}

extension NodeEvaluator {
  public func checkSize(_ graph: Graph) {}
}

/// A tensor's memory during a run. Strides are bytes between neighbours (blocks, in the last dimension of a block format).
public struct BoundTensor {
  public let base: UnsafeMutableRawPointer
  public let format: ElementFormat
  public let shape: [Int]
  public let strides: [Int]

  /// Given strides, where -1 stands for the dense one.
  static func strides(_ given: [Int], _ format: ElementFormat, _ shape: [Int]) -> [Int] {
    var strides = given
    var step = format.blockBytes
    for d in shape.indices.reversed() {
      if strides[d] == -1 { strides[d] = step }
      step *= d == shape.count - 1 ? shape[d] / format.blockElements : shape[d]
    }
    return strides
  }
}

/// A plugin that is part of the process, for a host to register: group Base, one device, host memory. An evaluator says what nodes mean.
public final class HostPlugin: @unchecked Sendable {
  let name: StaticString
  let evaluator: any NodeEvaluator
  /// Valid as long as this object; callable from any thread. A registered plugin must live as long as the process: keep it in a static.
  public let table: UnsafePointer<bp_plugin>

  public typealias InstanceCreate = @convention(c) (UnsafePointer<bp_host>?, UnsafeMutablePointer<bp_instance?>?, UnsafeMutablePointer<bp_error>?) -> bp_status

  /// - Parameters:
  ///   - name: What device IDs begin with.
  ///   - instanceCreate: Calls ``createInstance(_:_:_:)`` of this plugin, which a C function can only find by itself.
  public init(name: StaticString, evaluator: any NodeEvaluator, instanceCreate: @escaping InstanceCreate) {
    (self.name, self.evaluator) = (name, evaluator)
    let table = UnsafeMutablePointer<bp_plugin>.allocate(capacity: 1)
    table.initialize(to: HostPlugin.pluginTable(name, instanceCreate))
    self.table = UnsafePointer(table)
  }

  deinit { UnsafeMutablePointer(mutating: table).deallocate() }

  public func createInstance(_ host: UnsafePointer<bp_host>?, _ out: UnsafeMutablePointer<bp_instance?>?, _ error: UnsafeMutablePointer<bp_error>?) -> bp_status {
    answering(error) { () throws(BackplaneError) in
      guard let out else { throw BackplaneError(.invalid, "instance_create: out is NULL") }
      out.pointee = Handle.make(Instance(host, self))
    }
  }

  private struct Functions: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<bp_device_fns>
    init() {
      pointer = .allocate(capacity: 1)
      pointer.initialize(to: deviceFunctions())
    }
  }
  private static let functions = Functions()

  private static func pluginTable(_ name: StaticString, _ instanceCreate: @escaping InstanceCreate) -> bp_plugin {
    var table = bp_plugin()
    table.h = head(bp_plugin.self, BP_ST_PLUGIN)
    (table.abi_min, table.abi_max) = (BP_ABI_1_0, BP_ABI_THIS)
    table.name = string(name)
    table.vendor = string("Backplane")
    table.version = string("1.0")
    table.build_id = string("in-process")
    table.abi_layout_hash = BP_ABI_LAYOUT_HASH_1_0
    table.instance_create = instanceCreate
    table.instance_destroy = { Handle.release($0, Instance.self) }
    table.device_count = { instance, out, error in
      answering(error) { () throws(BackplaneError) in
        guard instance != nil, let out else { throw BackplaneError(.invalid, "device_count: an argument is NULL") }
        out.pointee = 1
      }
    }
    table.device_open = { instance, index, out, functions, error in
      answering(error) { () throws(BackplaneError) in
        let instance = try Handle.object(instance, Instance.self, "device_open: instance")
        guard let out, let functions else { throw BackplaneError(.invalid, "device_open: an argument is NULL") }
        guard index == 0 else { throw BackplaneError(.invalid, "device_open: there is no device \(index), only 0") }
        out.pointee = Handle.make(Device(instance))
        functions.pointee = UnsafePointer(HostPlugin.functions.pointer)
      }
    }
    table.device_close = { Handle.release($0, Device.self) }
    table.extension = { _, _, _ in nil }
    return table
  }

  private static func deviceFunctions() -> bp_device_fns {
    var table = bp_device_fns()
    table.h = head(bp_device_fns.self, BP_ST_DEVICE_FNS)
    table.info = { device, out, error in
      answering(error) { () throws(BackplaneError) in
        let device = try Handle.object(device, Device.self, "info: device")
        guard let out else { throw BackplaneError(.invalid, "info: out is NULL") }
        writeOutput(device.info, to: out)
      }
    }
    table.query = { device, graph, out, stride, count, error in
      answering(error) { () throws(BackplaneError) in
        try query(graph, out, stride, count, Handle.object(device, Device.self, "query: device").evaluator)
      }
    }
    table.buffer_create = { device, description, out, info, error in
      answering(error) { () throws(BackplaneError) in
        let device = try Handle.object(device, Device.self, "buffer_create: device")
        guard let description, let out else { throw BackplaneError(.invalid, "buffer_create: an argument is NULL") }
        let buffer = try Buffer(device, readChained(description, "buffer_create"))
        if let info { writeOutput(buffer.info, to: info) }
        out.pointee = Handle.make(buffer)
      }
    }
    table.buffer_destroy = { _, buffer in Handle.release(buffer, Buffer.self) }
    table.buffer_map = { _, buffer, offset, length, access, out, error in
      answering(error) { () throws(BackplaneError) in
        let buffer = try Handle.object(buffer, Buffer.self, "buffer_map: buffer")
        guard let out else { throw BackplaneError(.invalid, "buffer_map: out is NULL") }
        if access & BP_ACCESS_WRITE != 0, buffer.isReadOnly { throw BackplaneError(.invalid, "buffer_map: the buffer was imported read-only") }
        out.pointee = try buffer.range(offset, length, "buffer_map")
      }
    }
    table.buffer_unmap = { _, buffer, error in
      answering(error) { () throws(BackplaneError) in _ = try Handle.object(buffer, Buffer.self, "buffer_unmap: buffer") }
    }
    table.program_create = { device, compile, out, error in
      answering(error) { () throws(BackplaneError) in
        let device = try Handle.object(device, Device.self, "program_create: device")
        guard let compile, let out else { throw BackplaneError(.invalid, "program_create: an argument is NULL") }
        out.pointee = Handle.make(try Program(readChained(compile, "program_create"), device.evaluator))
      }
    }
    table.program_info = { program, out, error in
      answering(error) { () throws(BackplaneError) in
        let program = try Handle.object(program, Program.self, "program_info: program")
        guard let out else { throw BackplaneError(.invalid, "program_info: out is NULL") }
        writeOutput(program.info, to: out)
      }
    }
    table.program_destroy = { Handle.release($0, Program.self) }
    table.execute = { device, submission, error in
      answering(error) { () throws(BackplaneError) in
        let device = try Handle.object(device, Device.self, "execute: device")
        guard let submission else { throw BackplaneError(.invalid, "execute: the submission is NULL") }
        try execute(device, readChained(submission, "execute"))
      }
    }
    return table
  }
}

/// Objects as the ABI's opaque handles. A handle holds one reference.
enum Handle {
  static func make(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

  static func object<T: AnyObject>(_ handle: OpaquePointer?, _: T.Type, _ what: String) throws(BackplaneError) -> T {
    guard let handle else { throw BackplaneError(.invalid, "\(what) is NULL") }
    return Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  static func release<T: AnyObject>(_ handle: OpaquePointer?, _: T.Type) {
    if let handle { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release() }
  }
}
