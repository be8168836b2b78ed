import BackplaneABI
import BackplaneCore

/// An open device. Programs, buffers, queues and semaphores keep it alive; it keeps its plugin's instance alive.
///
/// Its functions may be called from any thread.
public final class Device: @unchecked Sendable {
  /// Such as `cpu` or `opencl:0`.
  public let id: String
  public let info: DeviceInfo
  public let instance: PluginInstance
  public let index: Int
  public let handle: bp_device?
  /// The device's functions with stubs in empty slots: never NULL. Valid as long as the device.
  public let functions: UnsafePointer<bp_device_fns>

  public var plugin: PluginLibrary { instance.library }

  /// Opens a device and checks that each group of functions that it claims is whole.
  ///
  /// - Parameter step: Told the name of each step before it begins.
  public init(_ instance: PluginInstance, index: Int, step: (String) -> Void = { _ in }) throws(BackplaneError) {
    let subject = "\(instance.library.shortName):\(index)"
    let plugin = instance.library.table
    var handle: bp_device?
    var table: UnsafePointer<bp_device_fns>?
    step("device_open")
    try checked("device_open", subject) { plugin.device_open(instance.handle, UInt32(index), &handle, &table, $0) }
    do throws(BackplaneError) {
      guard let table else { throw BackplaneError(.abi, "device_open gave no function table", subject: subject) }
      let size = UnsafeRawPointer(table).load(as: UInt32.self)
      guard size >= UInt32(MemoryLayout<bp_head>.size) else {
        throw BackplaneError(.abi, "bp_device_fns.h.struct_size is \(size)", subject: subject, hint: "set it to sizeof(bp_device_fns)")
      }
      let given = copyOfTable(UnsafeRawPointer(table), zero: bp_device_fns())
      try Device.check(given, has: .base, subject: subject)
      let whole = given.filledWithStubs()
      var record = bp_device_info()
      record.h = head(bp_device_info.self, BP_ST_DEVICE_INFO)
      step("info")
      try checked("info", subject) { whole.info(handle, &record, $0) }
      let info = DeviceInfo(record)
      guard info.groups.contains(.base) else {
        throw BackplaneError(.abi, "bp_device_info.groups lacks BP_GROUP_BASE, which every device serves", subject: subject)
      }
      try Device.check(given, has: info.groups, subject: subject)
      let functions = UnsafeMutablePointer<bp_device_fns>.allocate(capacity: 1)
      functions.initialize(to: whole)
      (self.instance, self.index, self.handle, self.info) = (instance, index, handle, info)
      self.functions = UnsafePointer(functions)
      id = instance.deviceID(index: index, kind: info.kind)
    } catch {
      plugin.device_close(handle)
      throw error
    }
  }

  deinit {
    plugin.table.device_close(handle)
    UnsafeMutablePointer(mutating: functions).deallocate()
  }

  private static func check(_ table: bp_device_fns, has groups: DeviceGroups, subject: String) throws(BackplaneError) {
    for group in [DeviceGroups.base, .queues, .blobs, .tuning] where groups.contains(group) {
      let missing = DeviceFunctions.missing(from: table, for: group)
      guard missing.isEmpty else {
        throw BackplaneError(.abi, "group \(group.names[0]) is claimed, but \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") missing",
                             subject: subject)
      }
    }
  }

  /// Can the device run these nodes? One verdict a node, in node order.
  public func query(_ graph: ABIGraph) throws(BackplaneError) -> [Verdict] {
    let count = graph.graph.nodes.count
    guard count > 0 else { return [] }
    var records = [bp_verdict](repeating: bp_verdict(), count: count)
    for i in records.indices {
      records[i].h = head(bp_verdict.self, BP_ST_VERDICT)
      records[i].node_index = UInt32(i)
    }
    let stride = UInt32(MemoryLayout<bp_verdict>.stride)
    try checked("query", id) { functions.pointee.query(handle, graph.pointer, &records, stride, UInt32(count), $0) }
    return records.map { Verdict($0) }
  }

  /// Runs a submission and returns when it is done. Allocates nothing unless it fails.
  @inline(__always)
  public func execute(_ submission: UnsafePointer<bp_submission>) throws(BackplaneError) {
    try checked("execute", id) { functions.pointee.execute(handle, submission, $0) }
  }

  /// How this device reaches memory of `peer` from its own memory.
  public func link(memory: UInt32, to peer: Device, memory peerMemory: UInt32) throws(BackplaneError) -> Link {
    var record = bp_device_info()
    record.h = head(bp_device_info.self, BP_ST_DEVICE_INFO)
    try checked("info", peer.id) { peer.functions.pointee.info(peer.handle, &record, $0) }
    var link = bp_link()
    link.h = head(bp_link.self, BP_ST_LINK)
    try checked("link", id) { functions.pointee.link(handle, memory, &record, peerMemory, &link, $0) }
    return Link(mode: Link.Mode(rawValue: link.mode) ?? .none, bytesPerSecond: link.bytes_per_s, latencyNanoseconds: link.latency_ns)
  }

  /// Host and device time at one moment.
  public func clock() throws(BackplaneError) -> bp_clock {
    var clock = bp_clock()
    clock.h = head(bp_clock.self, BP_ST_CLOCK)
    try checked("clock", id) { functions.pointee.clock(handle, &clock, $0) }
    return clock
  }

  /// After `deviceLost`, once every child is gone: makes the device usable again.
  public func reset() throws(BackplaneError) { try checked("reset", id) { functions.pointee.reset(handle, $0) } }

  /// Asks the device to give memory back; the bytes freed.
  public func trim(pressure: UInt32) throws(BackplaneError) -> UInt64 {
    var freed: UInt64 = 0
    try checked("trim", id) { functions.pointee.trim(handle, pressure, &freed, $0) }
    return freed
  }
}

extension Device: CustomStringConvertible {
  public var description: String { "\(id) (\(info.name))" }
}

/// How bytes get from a peer's memory into a device's.
public struct Link: Sendable, Equatable {
  public enum Mode: UInt32, Sendable { case native, `import`, copy, none }
  public var mode: Mode
  /// 0 unknown.
  public var bytesPerSecond, latencyNanoseconds: UInt64
}
