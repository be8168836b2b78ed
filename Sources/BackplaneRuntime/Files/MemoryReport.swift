import Glibc

/// The memory of this process, as the kernel counts it. Bytes; 0 where it does not say.
public struct MemoryReport: Sendable, Equatable {
  /// Resident now and at most so far. Pages shared with others count in full.
  public var resident = 0, peakResident = 0
  /// Resident, with shared pages divided by those who share them; of that, what is of files and what is not.
  public var proportional = 0, proportionalFile = 0, proportionalAnonymous = 0
  public var swapped = 0

  public init() {}

  /// Reads `/proc/self`. Takes about as long as the process has pages: not for every token.
  public static func current() -> MemoryReport {
    var report = MemoryReport()
    let status = fields(of: "/proc/self/status")
    report.resident = status["VmRSS"] ?? 0
    report.peakResident = status["VmHWM"] ?? 0
    report.swapped = status["VmSwap"] ?? 0
    let rollup = fields(of: "/proc/self/smaps_rollup")
    report.proportional = rollup["Pss"] ?? 0
    report.proportionalFile = rollup["Pss_File"] ?? 0
    report.proportionalAnonymous = rollup["Pss_Anon"] ?? 0
    return report
  }

  /// Begins `peakResident` anew. False where the system does not allow it.
  @discardableResult
  public static func resetPeak() -> Bool {
    let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    return write(file, "5", 1) == 1
  }

  /// Lines such as `VmRSS:    1234 kB`.
  private static func fields(of path: String) -> [String: Int] {
    guard let file = fopen(path, "re") else { return [:] }
    defer { fclose(file) }
    var fields: [String: Int] = [:]
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let parts = text.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let number = parts[1].split(whereSeparator: { $0 == " " || $0 == "\t" }).first.flatMap({ Int($0) }), text.contains("kB") else { continue }
      fields[String(parts[0])] = number * 1024
    }
    return fields
  }
}

extension MemoryReport: CustomStringConvertible {
  public var description: String {
    func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
    return "resident \(mebibytes(resident)) (peak \(mebibytes(peakResident))), proportional \(mebibytes(proportional)): "
      + "files \(mebibytes(proportionalFile)), own \(mebibytes(proportionalAnonymous))"
  }
}
