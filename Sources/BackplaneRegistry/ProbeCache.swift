import Foundation

/// Probe answers by the SHA-256 of the library, in one JSON file. A file that cannot be read counts as empty.
struct ProbeCache {
  struct Entry: Codable, Equatable {
    var report: ProbeReport?
    /// Why the child gave no answer.
    var failure: String?
    /// When a failure stops being believed, in seconds since 1970; nil for never.
    var expires: Double?
    /// What else the answer depends on: see ``stamp``.
    var stamp: String
  }

  /// How long it is believed that a plugin gives no answer in time.
  static let silence = 600.0

  /// Nil: nothing is kept.
  var path: String?

  static func standardPath(environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
    PluginRegistry.cacheFolder(environment).map { $0 + "/probe.json" }
  }

  /// Changes when drivers or libraries are installed, after a reboot, or with another version of this host: answers from before
  /// are not believed.
  static let stamp: String = {
    var loader = stat()
    _ = stat_("/etc/ld.so.cache", &loader)
    let boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?.split(whereSeparator: \.isWhitespace).first ?? ""
    return "\(ProbeReport.currentFormat) \(ABIVersion.hostMaximum) \(hexadecimal(ABIVersion.hostMaximum.layoutHash ?? 0)) \(loader.st_mtim.tv_sec) \(boot)"
  }()

  private typealias File = [String: Entry]

  private func load() -> File {
    guard let path, let file = try? ReadOnlyFile(path), file.size < 16 << 20, let bytes = file.bytes(at: 0, count: file.size) else { return [:] }
    return (try? JSONDecoder().decode(File.self, from: Data(bytes))) ?? [:]
  }

  func answer(for sha256: String) -> PluginProbe.Answer? {
    guard let entry = load()[sha256], entry.stamp == ProbeCache.stamp else { return nil }
    if let failure = entry.failure {
      guard let expires = entry.expires else { return .failed(failure) }
      let now = Date().timeIntervalSince1970
      return (expires - ProbeCache.silence...expires).contains(now) ? .silent(failure) : nil
    }
    return entry.report.map { .report($0) }
  }

  /// Keeps an answer. "No device here" is not kept: a device may be plugged in at any time.
  func store(_ answer: PluginProbe.Answer, for sha256: String) {
    guard let path else { return }
    var entry = Entry(stamp: ProbeCache.stamp)
    switch answer {
    case .report(let report):
      if report.unavailable != nil { return }
      entry.report = report
    case .failed(let why): entry.failure = why
    case .silent(let why): (entry.failure, entry.expires) = (why, Date().timeIntervalSince1970 + ProbeCache.silence)
    }
    var file = load().filter { $0.value.stamp == ProbeCache.stamp }
    file[sha256] = entry
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard let data = try? encoder.encode(file) else { return }
    try? FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
                                             attributes: [.posixPermissions: 0o700])
    try? data.write(to: URL(fileURLWithPath: path), options: .atomic)  // a rename: readers see the old or the new file
  }
}

/// `stat` the function: inside a type that names the record, Swift would find the record first.
private func stat_(_ path: String, _ record: inout stat) -> Int32 { stat(path, &record) }
