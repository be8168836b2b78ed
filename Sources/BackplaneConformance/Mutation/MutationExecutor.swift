import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Foundation

/// One deliberate fault, or one correct variant, of the mutant plugin: a line of its extension `mutant.faults`.
public struct MutantFault: Codable, Sendable, Hashable {
  public let id: Int
  /// The operator whose nodes it concerns, or "device".
  public let op: String
  public let `class`, name, text: String

  /// A correct kernel that works in another way: it must pass every case.
  public var isVariant: Bool { self.class == "variant" }
  public var isOfDevice: Bool { op == "device" }
  /// As reports name it.
  public var title: String { "\(id) \(op)/\(name)" }
}

/// A case for one plugin library with one setting of its fault: what a mutation run asks a child process for, on one line.
struct MutationCase {
  /// "suite", or the name of a simple rule.
  var judge: String
  /// Of the library; no tabs.
  var path: String
  var fault: Int
  var id: String

  var line: String { [judge, path, String(fault), id].joined(separator: "\t") }

  init(judge: String, path: String, fault: Int, id: String) { (self.judge, self.path, self.fault, self.id) = (judge, path, fault, id) }

  init?(_ line: String) {
    let words = line.split(separator: "\t", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
    guard words.count == 4, let fault = Int(words[2]) else { return nil }
    self.init(judge: words[0], path: words[1], fault: fault, id: words[3])
  }
}

/// Runs lines of ``MutationCase``. A case's data and the oracle's answer are kept until another case comes, so that many faults are judged
/// by one evaluation. One thread at a time.
public final class MutationExecutor: CaseExecutor {
  private let pool = ThreadPool(workers: 2)
  private let host: PluginHost
  private var libraries: [String: PluginLibrary] = [:]
  private var devices: [String: Device] = [:]
  private var reference: ReferenceCase?

  public init() { host = PluginHost(pool: pool, logLevel: .error) { _ in } }
  deinit { pool.stop() }

  public func run(_ line: String) -> CaseResult {
    guard let wanted = MutationCase(line) else { return CaseResult(id: line, outcome: .error, message: "this is no case of a mutation run") }
    do throws(BackplaneError) {
      let device = try device(wanted)
      if wanted.id.hasPrefix("behaviour/") || wanted.id.hasPrefix("metamorphic/") { return InProcessExecutor(device).run(wanted.id) }
      let reference = try reference(wanted.id)
      if let rule = SimpleRule.named(wanted.judge) { return rule.run(reference, device) }
      var runner = CaseRunner(device)
      runner.reference = reference
      return runner.run(reference.id)
    } catch {
      return CaseResult(id: wanted.id, outcome: .error, message: "\(error)")
    }
  }

  private func reference(_ text: String) throws(BackplaneError) -> ReferenceCase {
    let id = try CaseID(text)
    if let reference, reference.id == id { return reference }
    let made = try ReferenceCase(id)
    reference = made
    return made
  }

  private func device(_ wanted: MutationCase) throws(BackplaneError) -> Device {
    let key = "\(wanted.fault)\t\(wanted.path)"
    // Tests of behaviour open the device again: with the same fault.
    host.set("mutant.fault", to: String(wanted.fault))
    if let open = devices[key] { return open }
    let device = try Device(try instance(wanted.path, fault: wanted.fault), index: 0)
    devices[key] = device
    return device
  }

  private func instance(_ path: String, fault: Int) throws(BackplaneError) -> PluginInstance {
    let library = if let known = libraries[path] { known } else { try PluginLibrary(loading: path) }
    libraries[path] = library
    host.set("mutant.fault", to: String(fault))
    return try PluginInstance(library, host: host.services)
  }

  /// The faults that a mutant plugin says it has.
  ///
  /// - Throws: ``BackplaneError`` (unsupported) for a plugin that is no mutant.
  public func faults(of path: String) throws(BackplaneError) -> [MutantFault] {
    let instance = try instance(path, fault: 0)
    guard let table = instance.extension("mutant.faults", version: 1) else {
      throw BackplaneError(.unsupported, "the plugin has no extension mutant.faults: it is no mutant", subject: path)
    }
    let text = table.assumingMemoryBound(to: bp_str.self).pointee
    let json = Data(UnsafeRawBufferPointer(start: text.ptr, count: Int(text.len)))
    do { return try JSONDecoder().decode([MutantFault].self, from: json) } catch {
      throw BackplaneError(.abi, "its list of faults cannot be read: \(error)", subject: path)
    }
  }
}
