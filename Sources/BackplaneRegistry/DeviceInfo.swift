import BackplaneABI
import BackplaneCore

/// Groups of functions that a device serves.
public struct DeviceGroups: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let base = DeviceGroups(rawValue: BP_GROUP_BASE)
  public static let queues = DeviceGroups(rawValue: BP_GROUP_QUEUES)
  public static let blobs = DeviceGroups(rawValue: BP_GROUP_BLOBS)
  public static let tuning = DeviceGroups(rawValue: BP_GROUP_TUNING)

  public var names: [String] {
    [(DeviceGroups.base, "base"), (.queues, "queues"), (.blobs, "blobs"), (.tuning, "tuning")].filter { contains($0.0) }.map { $0.1 }
  }
}

public enum DeviceKind: UInt32, Sendable, CaseIterable {
  case other, cpu, gpu, npu, dsp, fpga, reference
}

/// One kind of memory of a device. Sizes are bytes, 0 unknown.
public struct MemoryType: Sendable, Equatable {
  public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let deviceLocal = Flags(rawValue: BP_MEMORY_DEVICE_LOCAL)
    public static let hostVisible = Flags(rawValue: BP_MEMORY_HOST_VISIBLE)
    public static let coherent = Flags(rawValue: BP_MEMORY_COHERENT)
    public static let cached = Flags(rawValue: BP_MEMORY_CACHED)
    public static let unified = Flags(rawValue: BP_MEMORY_UNIFIED)
    public static let importsHostMemory = Flags(rawValue: BP_MEMORY_IMPORT_HOST)
    public static let importsDescriptors = Flags(rawValue: BP_MEMORY_IMPORT_FD)
    public static let exportsDescriptors = Flags(rawValue: BP_MEMORY_EXPORT_FD)
    public static let allowsReadOnly = Flags(rawValue: BP_MEMORY_READONLY_OK)

    public var names: [String] {
      ["device_local", "host_visible", "coherent", "cached", "unified", "import_host", "import_fd", "export_fd", "readonly_ok"].enumerated()
        .filter { rawValue & (1 << UInt32($0.offset)) != 0 }.map(\.element)
    }
  }

  public var index: UInt32
  public var flags: Flags
  public var alignment, granularity, maximumAllocation, total, budget, inUse: UInt64

  init(_ record: bp_memory_type) {
    index = record.index
    flags = Flags(rawValue: record.flags)
    (alignment, granularity, maximumAllocation) = (record.align, record.granularity, record.max_alloc)
    (total, budget, inUse) = (record.total, record.budget, record.in_use)
  }
}

/// What a device says of itself.
public struct DeviceInfo: Sendable, Equatable {
  public var kind: DeviceKind
  public var index: UInt32
  public var name, vendor, driver, driverVersion, busID: String
  /// 16 bytes, the same for the same device through another API; all zero when unknown.
  public var uuid: [UInt8]
  public var caps: UInt64
  public var groups: DeviceGroups
  public var queueCount: Int
  public var memoryTypes: [MemoryType]
  /// 0 when the device has no timestamps.
  public var timestampHz: UInt64
  /// Changes when an answer of `query` could change.
  public var capsEpoch: UInt64
  public var properties: [NamedValue]

  init(_ record: bp_device_info) {
    kind = DeviceKind(rawValue: record.kind) ?? .other
    index = record.index
    (name, vendor, driver, driverVersion) = (String(record.name), String(record.vendor), String(record.driver), String(record.driver_version))
    busID = String(record.bus_id)
    uuid = withUnsafeBytes(of: record.uuid) { Array($0) }
    caps = record.caps
    groups = DeviceGroups(rawValue: record.groups)
    queueCount = Int(record.n_queues)
    memoryTypes = record.memory_types.elements(bp_memory_type()).map { MemoryType($0) }
    timestampHz = record.timestamp_hz
    capsEpoch = record.caps_epoch
    properties = record.props.elements(bp_attr()).map { NamedValue($0) }
  }

  /// The property of that name, such as `isa`; nil when the device has none.
  public subscript(property name: String) -> AttributeValue? {
    let id = Identifier(name)
    return properties.first { $0.id == id }?.value
  }
}
