import Backplane
import Foundation

let cacheCommand = Command(
  name: "cache", summary: "Compiled programs and packed weights that are kept between runs: list, verify, prune, clear",
  positionals: ["[list|verify|prune|clear]"],
  options: [
    Option("limit", "BYTES", "prune: delete what was not used longest until this much is left (suffixes KB, MB, GB)"),
    SharedOptions.set, SharedOptions.json,
  ]
) { arguments in
  let environment = ProcessInfo.processInfo.environment
  let settings = PluginHost.settings(from: environment).merging(try SharedOptions.settings(arguments)) { _, explicit in explicit }
  guard let store = Runtime.blobStore(settings: settings, environment: environment, report: { _ in }) else {
    throw BackplaneError(.file, "there is no folder for a cache", hint: "set HOME, or --set cache.directory=/a/folder")
  }
  func json(_ object: [String: Any]) throws {
    guard arguments.has("json") else { return }
    print(try Terminal.json(object))
  }
  switch arguments.positionals.first ?? "list" {
  case "list":
    let entries = store.entries(), total = entries.reduce(0) { $0 + $1.byteCount }
    let clock = ISO8601DateFormatter()
    for entry in entries.reversed() {
      print("\(padLeft(Terminal.bytes(entry.byteCount), 10))  \(clock.string(from: entry.lastUsed))  \(store.label(of: entry))")
    }
    print("\(entries.count) blobs, \(Terminal.bytes(total)) of \(Terminal.bytes(store.limit)) in \(store.directory)")
    try json(["directory": store.directory, "limit": store.limit, "bytes": total,
              "blobs": entries.map { ["path": $0.path, "bytes": $0.byteCount, "last_used": clock.string(from: $0.lastUsed), "label": store.label(of: $0)] as [String: Any] }])
    return .success
  case "verify":
    let damaged = store.damaged()
    for (entry, why) in damaged { print("DAMAGED \(entry.path): \(why)") }
    print("\(store.entries().count) blobs read, \(damaged.count) damaged\(damaged.isEmpty ? "" : "; the next use deletes one and makes it again")")
    try json(["damaged": damaged.map { ["path": $0.entry.path, "why": $0.why] }])
    return damaged.isEmpty ? .success : .checkFailed
  case "prune":
    let limit = try arguments["limit"].map { try byteCount($0, "limit") } ?? store.limit
    let gone = store.prune(to: limit)
    print("deleted \(gone.count) blobs, \(Terminal.bytes(gone.byteCount))")
    try json(["deleted": gone.count, "bytes": gone.byteCount])
    return .success
  case "clear":
    let gone = store.prune(to: 0)
    print("deleted \(gone.count) blobs, \(Terminal.bytes(gone.byteCount))")
    try json(["deleted": gone.count, "bytes": gone.byteCount])
    return .success
  case let verb:
    throw UsageError("cache has no verb '\(verb)'; it has list, verify, prune, clear")
  }
}

/// "200MB", "1.5 GB", "4096".
func byteCount(_ text: String, _ option: String) throws -> Int {
  let trimmed = text.replacingOccurrences(of: " ", with: "").uppercased()
  let factors: [(String, Double)] = [("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1), ("", 1)]
  for (suffix, factor) in factors where trimmed.hasSuffix(suffix) {
    guard let value = Double(trimmed.dropLast(suffix.count)), value.isFinite, value >= 0, value * factor < 9e18 else { break }
    return Int(value * factor)
  }
  throw UsageError("--\(option) takes bytes, such as 4096, 200MB or 1.5GB, not '\(text)'")
}
