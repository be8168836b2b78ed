import BackplaneABI
import BackplaneCore
import BackplaneSpecs

/// The oracle behind the plugin ABI, for a host to register in its own process: group Base, one device, host memory.
///
/// It takes every operator of the catalogue in every format, computes in double precision and rounds each node's output once. Slow.
public enum ReferencePlugin {
  /// Valid for the life of the process; callable from any thread.
  public static var table: UnsafePointer<bp_plugin> { UnsafePointer(storage.plugin) }

  private static let storage = Storage()

  private struct Storage: @unchecked Sendable {
    let plugin: UnsafeMutablePointer<bp_plugin>
    let functions: UnsafeMutablePointer<bp_device_fns>

    init() {
      functions = .allocate(capacity: 1)
      functions.initialize(to: deviceFunctions())
      plugin = .allocate(capacity: 1)
      plugin.initialize(to: pluginTable())
    }
  }

  private static func pluginTable() -> bp_plugin {
    var table = bp_plugin()
    table.h = head(bp_plugin.self, BP_ST_PLUGIN)
    (table.abi_min, table.abi_max) = (BP_ABI_1_0, BP_ABI_THIS)
    table.name = string("reference")
    table.vendor = string("Backplane")
    table.version = string("1.0")
    table.build_id = string("in-process")
    table.abi_layout_hash = BP_ABI_LAYOUT_HASH_1_0
    table.instance_create = { host, out, error in
      answering(error) { () throws(BackplaneError) in
        guard let out else { throw BackplaneError(.invalid, "instance_create: out is NULL") }
        out.pointee = Handle.make(Instance(host))
      }
    }
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
        functions.pointee = UnsafePointer(ReferencePlugin.storage.functions)
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
        _ = try Handle.object(device, Device.self, "query: device")
        try query(graph, out, stride, count)
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
        _ = try Handle.object(device, Device.self, "program_create: device")
        guard let compile, let out else { throw BackplaneError(.invalid, "program_create: an argument is NULL") }
        out.pointee = Handle.make(try Program(readChained(compile, "program_create")))
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
