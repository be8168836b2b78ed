import Backplane
import Foundation

/// Measured operators as a page: a table, and a picture of what they reach below the limits of arithmetic and reading.
enum Roofline {
  private static let (width, height, margin) = (760.0, 460.0, 60.0)
  /// Operations a byte and 10⁹ operations a second, both in powers of ten.
  private static let (left, right, bottom, top) = (-1.5, 3.5, -0.5, 4.0)

  static func page(_ results: [BenchResult], _ limits: MachineLimits, device: String) -> String {
    let rows = results.map(row)
    return """
      <!doctype html><meta charset="utf-8"><title>Backplane: operators</title>
      <style>body{font:15px sans-serif;margin:2em;max-width:60em}td,th{text-align:right;padding:.15em .7em}td:first-child,th:first-child{text-align:left}</style>
      <h1>Operators on \(escape(device)), \(limits.threads) threads</h1>
      \(picture(results, limits))
      <table><tr><th>work<th>median µs<th>spread<th>GFLOP/s<th>GB/s<th>of the limit<th>peers: their time over ours
      \(rows.joined(separator: "\n"))
      </table>
      <p>The limit is the longer of the time that arithmetic alone and that reading every byte once would take, as measured on this machine.</p>

      """
  }

  private static func row(_ r: BenchResult) -> String {
    let median = r.microseconds["median"]!
    let peers = r.peers.sorted { $0.key < $1.key }.map { "\(escape($0.key)) \(Terminal.rounded($0.value / median, 2))×" }
    let cells: [String] = [
      escape(r.work.name), Terminal.rounded(median, 1), "\(Terminal.rounded(r.microseconds["minimum"]!, 1)) … \(Terminal.rounded(r.microseconds["maximum"]!, 1))",
      r.work.operations > 0 ? Terminal.rounded(r.gigaops, 1) : "", Terminal.rounded(r.gigabytes, 1), Terminal.rounded(100 * r.share, 0) + " %", peers.joined(separator: ", "),
    ]
    return "<tr>" + cells.map { "<td>" + $0 }.joined()
  }

  static func picture(_ results: [BenchResult], _ limits: MachineLimits) -> String {
    var parts: [String] = []
    for power in Int(left.rounded(.up))...Int(right) {
      parts.append(text(x(pow(10, Double(power))), height - margin + 18, "10\(superscript(power))", "middle"))
    }
    for power in Int(bottom.rounded(.up))...Int(top) {
      let level = y(pow(10, Double(power)))
      parts.append("<path d='M\(number(margin)) \(number(level))H\(number(width - 10))' stroke='#ddd'/>" + text(margin - 6, level + 4, "10\(superscript(power))", "end"))
    }
    parts.append(text(width / 2, height - margin + 40, "operations a byte", "middle") + text(margin, 16, "10⁹ operations a second", "start"))
    let roof = limits.rates.map(\.rate).max() ?? 1
    for read in limits.reads where [256 << 10, 16 << 20, 256 << 20].contains(read.bytes) {
      let (from, to) = (pow(10, left), roof / read.rate)
      parts.append("<path d='M\(number(x(from))) \(number(y(from * read.rate)))L\(number(x(to))) \(number(y(roof)))' stroke='#888' fill='none'/>"
        + text(x(from) + 4, y(from * read.rate) - 6, "read \(read.bytes >> 20 > 0 ? "\(read.bytes >> 20) MiB" : "\(read.bytes >> 10) KiB")", "start"))
    }
    for rate in limits.rates {
      parts.append("<path d='M\(number(width / 2)) \(number(y(rate.rate)))H\(number(width - 10))' stroke='#888' stroke-dasharray='5 3'/>" + text(width - 12, y(rate.rate) - 4, escape(rate.name), "end"))
    }
    for r in results where r.work.operations > 0 {
      let colour = r.work.op == "matmul" ? "#06c" : "#c40"
      parts.append("<circle cx='\(number(x(r.work.operations / Double(r.bytes))))' cy='\(number(y(r.gigaops)))' r='4' fill='\(colour)'><title>\(escape(r.work.name))</title></circle>")
    }
    return "<svg viewBox='0 0 \(number(width)) \(number(height))' width='\(number(width))' font-family='sans-serif' font-size='12'>\(parts.joined(separator: "\n"))</svg>"
  }

  private static func x(_ intensity: Double) -> Double { margin + (log10(intensity) - left) / (right - left) * (width - margin - 10) }
  private static func y(_ rate: Double) -> Double { height - margin - (log10(max(rate, 1e-9)) - bottom) / (top - bottom) * (height - margin - 20) }
  private static func number(_ value: Double) -> String { Terminal.rounded(value, 1) }
  private static func text(_ x: Double, _ y: Double, _ words: String, _ anchor: String) -> String {
    "<text x='\(number(x))' y='\(number(y))' text-anchor='\(anchor)'>\(words)</text>"
  }
  private static func superscript(_ power: Int) -> String {
    String(String(power).map { ["-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵"][$0] ?? $0 })
  }
  private static func escape(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
  }
}
