import BackplaneConformance
public import BackplaneCore
public import BackplaneRegistry
public import BackplaneRuntime
import Foundation
import Synchronization

/// Gives a runtime the store's choices when it compiles: no measuring, only records that are exact, the user's before the site's before the shipped ones, the newest first.
public final class StoredChoices: TuningSource {
  private let store: TuningStore
  private let lock: TuningLock?
  private let chosen = Mutex<[String: [Problem: [JSONRecord]]]>([:])
  private let used = Mutex<[String: String]>([:])
  private let notesWanted: Bool

  /// - Parameters:
  ///   - lock: Choices that hold whatever the store says; nodes that it does not name use the device's own choice.
  ///   - notesWanted: Problems that have several configurations and no choice are written down in the store, for `tune --wanted`.
  public init(_ store: TuningStore, lock: TuningLock? = nil, notesWanted: Bool = false) { (self.store, self.lock, self.notesWanted) = (store, lock, notesWanted) }

  /// What was handed out so far: the lines of a lock file.
  public var handedOut: [String] { used.withLock { $0.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)" } } }

  public func choices(for graph: Graph, _ records: ABIGraph, on device: Device) -> ChosenConfigurations {
    guard device.info.groups.contains(.tuning) else { return ChosenConfigurations() }
    var choices: [ChosenConfigurations.Choice] = [], wanted: [Problem: JSONRecord] = [:]
    defer { if !wanted.isEmpty { _ = try? store.add(Array(wanted.values)) } }
    for (index, node) in graph.nodes.enumerated() where lock != nil || notesWanted || !table(node.op).isEmpty {
      let symbols = Set((node.inputs + node.outputs).compactMap { $0 }.flatMap { graph[$0].shape.dimensions }.compactMap { dimension -> Symbol? in
        if case .symbol(let symbol) = dimension { symbol } else { nil }
      }).sorted { $0.number < $1.number }
      // One symbol decides; others stand at their upper bound.
      var values = SymbolValues()
      for symbol in symbols { values[symbol] = symbol.bounds.upperBound }
      /// - Parameter isMet: A run meets it often enough to be noted.
      func found(isMet: Bool) -> (configuration: Configuration, text: String)? {
        guard let id = CaseID(node, in: graph, values) else { return nil }
        let problem = Problem(id, numerics: node.numerics)
        let found = choice(problem, node, records, index, device)
        if found == nil, isMet { note(id, problem, node, records, index, device, &wanted) }
        return found
      }
      guard let deciding = symbols.first else {
        if let found = found(isMet: true) { choices.append(.init(node: index, found.configuration, text: found.text)) }
        continue
      }
      for range in Bucket.covering(deciding.bounds) {
        values[deciding] = range.upperBound
        // The ends of the range are met most: a token at a time, and a whole prompt.
        let isEnd = range.lowerBound == deciding.bounds.lowerBound || range.upperBound == deciding.bounds.upperBound
        if let found = found(isMet: isEnd) { choices.append(.init(node: index, found.configuration, symbol: Int(deciding.number), range: range, text: found.text)) }
      }
    }
    return ChosenConfigurations(choices)
  }

  private func choice(_ problem: Problem, _ node: Node, _ records: ABIGraph, _ index: Int, _ device: Device) -> (configuration: Configuration, text: String)? {
    let key = "\(device.id)\t\(problem.op)\t\(problem.signature)\t\(problem.bucket)"
    let candidates = lock.map { lock in lock.choices[key].map { [$0] } ?? [] } ?? (table(problem.op)[problem] ?? []).map(\.configuration)
    guard !candidates.isEmpty, let variants = try? device.variants(records, node: index) else { return nil }
    let text: String
    if lock == nil {
      guard let record = best(problem, device, TuningSpace(variants: variants, numerics: node.numerics)) else { return nil }
      text = record.configuration
    } else { text = candidates[0] }
    guard let request = try? ConfigurationRequest(text), let configuration = try? variants.configuration(request), (try? device.check(configuration, records, node: index)) != nil else { return nil }
    used.withLock { $0[key] = text }
    return (configuration, text)
  }

  private func note(_ id: CaseID, _ problem: Problem, _ node: Node, _ records: ABIGraph, _ index: Int, _ device: Device, _ wanted: inout [Problem: JSONRecord]) {
    guard notesWanted, lock == nil, wanted[problem] == nil, let variants = try? device.variants(records, node: index) else { return }
    let space = TuningSpace(variants: variants, numerics: node.numerics)
    guard space.configurations(limit: 2).count > 1 else { return }
    wanted[problem] = JSONRecord(wanted: id.description, problem: problem, device: .init(device), plugin: PluginCode.plugin(device.plugin, space.variants.first),
                                 space: String(space.hash, radix: 16))
  }

  private func table(_ op: String) -> [Problem: [JSONRecord]] {
    chosen.withLock { chosen in
      if let known = chosen[op] { return known }
      let made = Dictionary(grouping: ((try? store.inOrderOfUse(op: op)) ?? []).map(\.record), by: \.problem)
      chosen[op] = made
      return made
    }
  }

  /// The first that holds as it is. What another driver or another build of the plugin measured is where `tune` begins again.
  private func best(_ problem: Problem, _ device: Device, _ space: TuningSpace) -> JSONRecord? {
    let own = JSONRecord.Device(device), hash = space.hash
    return (table(problem.op)[problem] ?? []).filter { record in
      guard record.device == own, let request = try? ConfigurationRequest(record.configuration), let variant = space.variants.first(where: { $0.name == request.variant }) else { return false }
      return TuningStore.validity(record, own, PluginCode.plugin(device.plugin, variant), space: hash) == .exact
    }.first
  }
}

/// A file of choices that hold whatever a store says, so that results stay the same to the bit: a line each, device, operator, signature, bucket and
/// configuration with tabs between.
public struct TuningLock: Sendable {
  public private(set) var choices: [String: String] = [:]

  /// - Throws: ``BackplaneError`` (file): the line that is no choice.
  public init(text: String, file: String) throws(BackplaneError) {
    for (number, line) in text.split(separator: "\n").enumerated() where !line.hasPrefix("#") {
      let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard words.count == 5 else { throw BackplaneError(.file, "line \(number + 1) has \(words.count) fields, expected device, operator, signature, bucket, configuration", subject: file) }
      choices[words[0..<4].joined(separator: "\t")] = words[4]
    }
  }
}

/// What device code a plugin's times belong to.
public enum PluginCode {
  private static let builds = Mutex<[String: String]>([:])

  /// A hash of the library's file; of a plugin that is part of the process its build ID.
  public static func build(_ plugin: PluginLibrary) -> String {
    guard let path = plugin.path else { return plugin.buildID }
    return builds.withLock { builds in
      if let known = builds[path] { return known }
      guard let data = FileManager.default.contents(atPath: path) else { return plugin.buildID }
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(data.count)
      data.withUnsafeBytes { bytes in
        for at in stride(from: 0, to: bytes.count & ~7, by: 8) { hash = (hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x100_0000_01b3 }
      }
      let text = String(hash, radix: 16)
      builds[path] = text
      return text
    }
  }

  public static func plugin(_ plugin: PluginLibrary, _ variant: Variant?) -> JSONRecord.Plugin {
    let own = variant?.kernelHash ?? 0
    return JSONRecord.Plugin(name: plugin.name, version: plugin.version, build: build(plugin), kernel: own == 0 ? build(plugin) : String(own, radix: 16))
  }
}
