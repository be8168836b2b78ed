public import BackplaneABI

/// A variant as a device offers it for one node.
public struct OfferedVariant {
  public struct Parameter {
    let name: String
    let kind, affects: UInt32
    public let standard: Int
    public let values: [Int]

    /// - Parameters:
    ///   - kind: `BP_PARAM_…`
    ///   - affects: `BP_AFFECTS_…`
    ///   - standard: The value when nobody chooses; one of `values`, which ascend.
    public init(name: String, kind: UInt32, affects: UInt32, standard: Int, values: [Int]) {
      (self.name, self.kind, self.affects, self.standard, self.values) = (name, kind, affects, standard, values)
    }
  }
  var name: String
  var numerics: UInt32
  var declares: bp_array
  var parameters: [Parameter]
  var constraints: String
  var kernelHash: UInt64

  /// - Parameters:
  ///   - numerics: `BP_NUMERICS_…`
  ///   - declares: Records that live as long as the device.
  public init(name: String, numerics: UInt32, declares: bp_array, parameters: [Parameter], constraints: String, kernelHash: UInt64) {
    (self.name, self.numerics, self.declares) = (name, numerics, declares)
    (self.parameters, self.constraints, self.kernelHash) = (parameters, constraints, kernelHash)
  }
}

/// The records that `variants` answers with. Their strings and arrays live as long as this object; equal ones are made once. Any thread.
public final class VariantRecords: @unchecked Sendable {
  private let monitor = Monitor()
  private let memory = RecordMemory()
  private var texts: [String: bp_str] = [:]
  private var arrays: [String: bp_array] = [:]

  public init() {}

  /// Answers a call of `variants`.
  public func write(_ list: [OfferedVariant], _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UnsafeMutablePointer<UInt32>?) throws(PluginError) -> bp_status {
    guard let count else { throw .invalid("variants: no place for their number") }
    let room = out == nil ? 0 : Int(count.pointee)
    guard room == 0 || Int(stride) >= MemoryLayout<bp_head>.size else { throw .invalid("variants: a stride of \(stride) bytes has no room for a record") }
    monitor.locked {
      for (i, variant) in list.prefix(room).enumerated() {
        var record = bp_variant()
        (record.name, record.numerics_class, record.declares) = (text(variant.name), variant.numerics, variant.declares)
        (record.params, record.constraints, record.kernel_hash) = (array(variant.parameters), text(variant.constraints), variant.kernelHash)
        writeRecord(record, to: (out! + i * Int(stride)).assumingMemoryBound(to: bp_variant.self))
      }
    }
    count.pointee = UInt32(list.count)
    return list.count > room ? BP_MORE : BP_OK
  }

  private func text(_ string: String) -> bp_str {
    if let known = texts[string] { return known }
    let made = memory.text(string)
    texts[string] = made
    return made
  }

  private func array(_ parameters: [OfferedVariant.Parameter]) -> bp_array {
    let key = "\(parameters)"
    if let known = arrays[key] { return known }
    let records = parameters.map { parameter in
      var record = bp_param()
      record.h = head(bp_param.self, BP_ST_PARAM)
      (record.name, record.kind, record.flags, record.standard) = (text(parameter.name), parameter.kind, parameter.affects, Int64(parameter.standard))
      (record.values, record.count) = (UnsafePointer(memory.copy(parameter.values.map { Int64($0) })), UInt32(parameter.values.count))
      return record
    }
    let made = memory.list(records)
    arrays[key] = made
    return made
  }
}

/// What a caller has chosen for a node.
public struct ChosenVariant {
  public let variant: bp_id
  /// Of the variant's parameters, in their order; fewer leave the rest at their standard.
  public let values: [Int]
  /// Number and values of the symbol under which it holds; nil: always.
  public let range: (symbol: UInt32, values: ClosedRange<Int64>)?

  public init(_ config: bp_config) throws(PluginError) {
    guard config.n_values == 0 || config.values != nil else { throw .invalid("a config of node \(config.node) announces values, but there are none") }
    guard config.symbol == 0 || config.lo <= config.hi else { throw .invalid("a config of node \(config.node) holds from \(config.lo) to \(config.hi)") }
    variant = config.variant
    values = UnsafeBufferPointer(start: config.values, count: Int(config.n_values)).map { Int($0) }
    range = config.symbol == 0 ? nil : (config.symbol, config.lo...config.hi)
  }
}

extension bp_compile {
  /// What is chosen, by node, in the caller's order; of those of one node the first that holds is used.
  public func choices() throws(PluginError) -> [UInt32: [ChosenVariant]] {
    var choices: [UInt32: [ChosenVariant]] = [:]
    for config in try configs.records(zero: bp_config(), named: "configs") where config.variant != 0 { choices[config.node, default: []].append(try ChosenVariant(config)) }
    return choices
  }
}
