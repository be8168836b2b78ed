public import BackplaneCore
import BackplaneRegistry
import Foundation
import Synchronization

/// What was measured and chosen: SQLite files of the user and of the site, and JSON lines shipped with the plugins. Only the user's is written. Any thread, any
/// number of processes: rows are added in transactions, and a row's key is the hash of its content.
public final class TuningStore: Sendable {
  public enum Layer: String, Sendable, CaseIterable { case user, site, shipped }

  /// How far a record may be believed here.
  public enum Validity: Int, Sendable, Comparable {
    /// Same device, driver, device code and space: it is used.
    case exact
    /// Another driver or build of the plugin, the same device code: to be measured again, then used.
    case recheck
    /// Another device of the same driver, or other device code: a place to begin.
    case seed
    /// Anything else: what good configurations look like.
    case prior
    public static func < (a: Validity, b: Validity) -> Bool { a.rawValue < b.rawValue }
  }

  private let layers: Mutex<[(layer: Layer, database: Database)]>
  private let shipped: [JSONRecord]
  /// What is wrong with files that were left out.
  public let problems: [String]

  /// - Parameters:
  ///   - paths: Files by layer. A site's or shipped file that is not there is left out; the user's is made. The shipped one is of lines as `tune export` writes.
  /// - Throws: ``BackplaneError`` when the user's file cannot be used.
  public init(_ paths: [Layer: String], readOnly: Bool = false) throws(BackplaneError) {
    var opened: [(Layer, Database)] = [], problems: [String] = [], shipped: [JSONRecord] = []
    for layer in Layer.allCases {
      guard let path = paths[layer] else { continue }
      let isThere = FileManager.default.fileExists(atPath: path)
      if layer == .shipped {
        let lines = isThere ? ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n") : []
        shipped = lines.compactMap { JSONRecord(line: $0) }
        if shipped.count < lines.count { problems.append("\(path): \(lines.count - shipped.count) lines are no records and were left out") }
        continue
      }
      if layer != .user || readOnly {
        guard isThere else { continue }
        do throws(BackplaneError) { opened.append((layer, try Database(path, readOnly: true))) } catch { problems.append("\(error)") }
        continue
      }
      try? FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      let database = try Database(path, readOnly: false)
      try database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
      try database.execute("""
        CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, kind TEXT NOT NULL, op TEXT NOT NULL, signature TEXT NOT NULL, bucket TEXT NOT NULL,
          device TEXT NOT NULL, line TEXT NOT NULL) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS by_problem ON records (op, signature, bucket);
        """)
      opened.append((layer, database))
    }
    layers = Mutex(opened)
    self.shipped = shipped
    self.problems = problems
  }

  /// Where the layers are by default: `$XDG_DATA_HOME/backplane/tuning.sqlite`, `/etc/backplane/tuning.sqlite`, `PREFIX/share/backplane/tuning.jsonl`.
  public static func standardPaths(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> [Layer: String] {
    let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? environment["HOME"].map { $0 + "/.local/share" }
    var paths: [Layer: String] = [.site: "/etc/backplane/tuning.sqlite"]
    if let data { paths[.user] = data + "/backplane/tuning.sqlite" }
    if let tool = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
      paths[.shipped] = URL(fileURLWithPath: tool).deletingLastPathComponent().deletingLastPathComponent().path + "/share/backplane/tuning.jsonl"
    }
    return paths
  }

  /// Adds records to the user's layer, all or none. Those that are there already are left.
  ///
  /// - Returns: How many were new.
  @discardableResult
  public func add(_ records: [JSONRecord]) throws(BackplaneError) -> Int {
    if records.isEmpty { return 0 }
    let result: Result<Int, BackplaneError> = layers.withLock { layers in
      guard let user = layers.first(where: { $0.layer == .user })?.database else {
        return .failure(BackplaneError(.file, "there is no tuning store that can be written", hint: "set HOME or XDG_DATA_HOME, or give --store FILE"))
      }
      do throws(BackplaneError) {
        var added = 0
        try user.execute("BEGIN IMMEDIATE")
        do throws(BackplaneError) {
          for record in records {
            added += try user.run("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)",
                                  [record.identity, record.kind.rawValue, record.problem.op, record.problem.signature, record.problem.bucket, record.device.uuid, record.line])
          }
          try user.execute("COMMIT")
        } catch {
          try? user.execute("ROLLBACK")
          throw error
        }
        return .success(added)
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Records, those of the user first. A row that cannot be read or whose content is not its key's is left out and counted.
  public func records(op: String? = nil, problem: Problem? = nil, kind: JSONRecord.Kind? = nil, damaged: inout Int) throws(BackplaneError) -> [(layer: Layer, record: JSONRecord)] {
    var (conditions, values): ([String], [String]) = ([], [])
    for (name, value) in [("op", problem?.op ?? op), ("signature", problem?.signature), ("bucket", problem?.bucket), ("kind", kind?.rawValue)] {
      if let value { conditions.append("\(name) = ?"); values.append(value) }
    }
    let sql = "SELECT id, line FROM records" + (conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND "))
    let result: Result<([(Layer, JSONRecord)], Int), BackplaneError> = layers.withLock { layers in
      var (found, bad): ([(Layer, JSONRecord)], Int) = ([], 0)
      for (layer, database) in layers {
        do throws(BackplaneError) {
          try database.run(sql, values, { row in
            if let record = JSONRecord(line: row[1]), record.identity == row[0] { found.append((layer, record)) } else { bad += 1 }
          }, columns: 2)
        } catch { if layer == .user { return .failure(error) } }
      }
      return .success((found, bad))
    }
    let (found, bad) = try result.get()
    damaged += bad
    return found + shipped.filter { record in
      (op ?? problem?.op).map { $0 == record.problem.op } ?? true && problem.map { $0 == record.problem } ?? true && kind.map { $0 == record.kind } ?? true
    }.map { (.shipped, $0) }
  }

  public func records(op: String? = nil, problem: Problem? = nil, kind: JSONRecord.Kind? = nil) throws(BackplaneError) -> [(layer: Layer, record: JSONRecord)] {
    var damaged = 0
    return try records(op: op, problem: problem, kind: kind, damaged: &damaged)
  }

  /// Choices, the user's before the site's before the shipped ones; of one layer the newest first.
  public func inOrderOfUse(op: String? = nil, problem: Problem? = nil) throws(BackplaneError) -> [(layer: Layer, record: JSONRecord)] {
    let rank = Dictionary(uniqueKeysWithValues: Layer.allCases.enumerated().map { ($1, $0) })
    return try records(op: op, problem: problem, kind: .chosen).sorted { (rank[$0.layer]!, $1.record.time) < (rank[$1.layer]!, $0.record.time) }
  }

  /// How far a record may be believed for a variant on a device.
  public static func validity(_ record: JSONRecord, _ device: JSONRecord.Device, _ plugin: JSONRecord.Plugin, space: UInt64) -> Validity {
    let isSameCode = record.plugin.name == plugin.name && record.plugin.kernel == plugin.kernel && record.space == String(space, radix: 16)
    if record.device.uuid == device.uuid, record.device.name == device.name {
      if isSameCode { return record.device == device && record.plugin.build == plugin.build ? .exact : .recheck }
      return .seed
    }
    return record.plugin.name == plugin.name && record.device.driver == device.driver ? .seed : .prior
  }
}
