/// A report as JUnit XML, which every CI shows.
public enum JUnitReport {
  public static func text(_ report: Report) -> String {
    var suites: [(op: String, results: [CaseResult])] = []
    for result in report.results {
      if suites.last?.op == result.op { suites[suites.count - 1].results.append(result) } else { suites.append((result.op, [result])) }
    }
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"conform \(escape(report.subject.device))\" tests=\"\(report.results.count)\" "
      + "failures=\"\(report.results.count { $0.isBad })\" time=\"\(report.seconds)\">\n"
    for (op, results) in suites {
      let skipped = results.count(where: isSkipped)
      text += "  <testsuite name=\"\(escape(op))\" tests=\"\(results.count)\" failures=\"\(results.count { $0.isBad })\" skipped=\"\(skipped)\" "
        + "time=\"\(results.reduce(0) { $0 + $1.milliseconds } / 1000)\">\n"
      for result in results {
        text += "    <testcase classname=\"\(escape(op))\" name=\"\(escape(result.id))\" time=\"\(result.milliseconds / 1000)\""
        let message = escape(result.message ?? result.outcome.rawValue)
        if result.isBad {
          text += "><failure type=\"\(escape(result.fault ?? result.outcome.rawValue))\" message=\"\(message)\"/></testcase>\n"
        } else if isSkipped(result) {
          text += "><skipped message=\"\(message)\"/></testcase>\n"
        } else {
          text += "/>\n"
        }
      }
      text += "  </testsuite>\n"
    }
    return text + "</testsuites>\n"
  }

  private static func isSkipped(_ result: CaseResult) -> Bool { !result.isBad && [.unsupported, .unmapped, .waived].contains(result.outcome) }

  static func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "\n": escaped += "&#10;"
      default: if scalar.value >= 32 { escaped.unicodeScalars.append(scalar) }
      }
    }
    return escaped
  }
}
