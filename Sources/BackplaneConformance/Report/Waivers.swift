import BackplaneCore
import Foundation

/// Faults that are known and accepted for a while: `{"waivers": [{"id", "cases", "reason", "issue", "until", "max_err"}]}`.
///
/// `cases` is a case ID in which `*` stands for anything. A waiver covers wrong values and missing support only: never a crash, a hang,
/// memory that was written, a wrong status or a verdict that is not true. One that is past its day or no longer needed is itself a fault.
public struct Waivers: Codable, Sendable {
  public struct Waiver: Codable, Sendable {
    public var id, cases, reason: String
    public var issue: String?
    /// The last day, as 2026-12-31.
    public var until: String
    /// How far beyond the bound an error may be, as a multiple of it.
    public var maxError: Double?

    public init(id: String, cases: String, reason: String, issue: String? = nil, until: String, maxError: Double? = nil) {
      (self.id, self.cases, self.reason, self.issue, self.until, self.maxError) = (id, cases, reason, issue, until, maxError)
    }

    enum CodingKeys: String, CodingKey {
      case id, cases, reason, issue, until
      case maxError = "max_err"
    }
  }

  public var waivers: [Waiver]

  public init(_ waivers: [Waiver]) { self.waivers = waivers }

  /// - Throws: ``BackplaneError`` (file): what the file lacks.
  public init(file: String) throws(BackplaneError) {
    do { self = try JSONDecoder().decode(Waivers.self, from: try Data(contentsOf: URL(fileURLWithPath: file))) } catch {
      throw BackplaneError(.file, "is no list of waivers: \(error)", subject: file)
    }
    for waiver in waivers where !Waivers.isDay(waiver.until) {
      throw BackplaneError(.file, "waiver \(waiver.id): 'until' is \"\(waiver.until)\", not a day such as 2026-12-31", subject: file)
    }
  }

  /// Applies the waivers to results, and adds a failed result for each waiver that is past its day or was not needed.
  ///
  /// - Parameter today: As 2026-12-31.
  public func apply(to results: inout [CaseResult], today: String) {
    var isUsed = [Bool](repeating: false, count: waivers.count)
    for i in results.indices where results[i].isBad {
      guard let w = waivers.firstIndex(where: { $0.until >= today && Waivers.covers($0, results[i]) }) else { continue }
      isUsed[w] = true
      (results[i].outcome, results[i].waiver) = (.waived, waivers[w].id)
    }
    let ran = results.map(\.id)
    for (w, waiver) in waivers.enumerated() where !isUsed[w] {
      let isExpired = waiver.until < today
      // A waiver for cases that this run does not have says nothing.
      guard isExpired || ran.contains(where: { Waivers.matches(waiver.cases, $0) }) else { continue }
      results.append(CaseResult(id: "waiver/\(waiver.id)", outcome: .fail, fault: "waiver",
                                message: isExpired ? "it expired on \(waiver.until)" : "none of its cases fails any more: remove it"))
    }
  }

  private static func covers(_ waiver: Waiver, _ result: CaseResult) -> Bool {
    guard matches(waiver.cases, result.id) else { return false }
    switch result.outcome {
    case .unsupported: return true
    case .fail:
      guard ["values", "exact", "metamorphic"].contains(result.fault ?? "") else { return false }
      // A number that silently became NaN is no matter of accuracy.
      if let bad = result.firstBad, bad.actual.isNaN || abs(bad.actual) >= 1e308 || result.message?.contains("nan,") == true { return false }
      return waiver.maxError.map { result.maxRatio <= $0 } ?? true
    default: return false
    }
  }

  /// Whether `text` is `pattern`, in which `*` stands for any characters.
  public static func matches(_ pattern: String, _ text: String) -> Bool {
    let (p, t) = (Array(pattern.utf8), Array(text.utf8))
    var (i, j, star, mark) = (0, 0, -1, 0)
    while j < t.count {
      if i < p.count, p[i] == UInt8(ascii: "*") { (star, mark) = (i, j); i += 1 }
      else if i < p.count, p[i] == t[j] { i += 1; j += 1 }
      else if star >= 0 { mark += 1; (i, j) = (star + 1, mark) }
      else { return false }
    }
    while i < p.count, p[i] == UInt8(ascii: "*") { i += 1 }
    return i == p.count
  }

  private static func isDay(_ text: String) -> Bool {
    let parts = text.split(separator: "-").map { Int($0) }
    return text.count == 10 && parts.count == 3 && !parts.contains(nil)
  }

  /// The day of `date` in the calendar of UTC.
  public static func day(_ date: Date = Date()) -> String { String(ISO8601DateFormatter().string(from: date).prefix(10)) }
}
