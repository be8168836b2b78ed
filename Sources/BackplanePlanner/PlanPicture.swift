/// Draws one arena of a plan: steps to the right, bytes upwards, a rectangle a tensor.
///
/// Each rectangle has a tooltip with name, size, offset and steps. Views are dashed outlines inside what they view; the
/// output of an in-place pair has a thick left edge. The dashed line is the lower bound, the solid one the peak.
public enum PlanPicture {
  /// - Returns: A whole SVG document. Nothing but text; opens in any browser.
  public static func svg(of plan: Plan, for problem: PlanProblem, arena: Int = 0) -> String {
    precondition(problem.arenas.indices.contains(arena), "no arena \(arena)")
    precondition(plan.offsetsInBytes.count == problem.tensors.count, "one offset a tensor")
    return Drawing(plan, problem, arena).svg
  }
}

private struct Drawing {
  let plan: Plan
  let problem: PlanProblem
  let arena: Int
  /// In arena `arena`, with bytes to show.
  let tensors: [Int]
  let steps: Range<Int>
  let topInBytes: Int
  var result: ArenaPlan { plan.arenas[arena] }
  // The plot's frame, in pixels. Wide, because graphs have more steps than arenas have layers.
  let left = 90.0
  let top = 40.0
  let width = 1400.0
  let height = 700.0
  /// Far enough apart in hue and light to tell neighbours apart, pale enough for dark text.
  static let colours = [
    "#8dd3c7", "#ffffb3", "#bebada", "#fb8072", "#80b1d3", "#fdb462", "#b3de69", "#fccde5", "#bc80bd", "#ccebc5", "#ffed6f",
  ]

  init(_ plan: Plan, _ problem: PlanProblem, _ arena: Int) {
    self.plan = plan
    self.problem = problem
    self.arena = arena
    tensors = problem.tensors.indices.filter {
      problem.tensors[$0].arena == arena && problem.tensors[$0].sizeInBytes > 0
    }
    let first = tensors.map { problem.tensors[$0].firstStep }.min() ?? 0
    steps = first..<max(first + 1, tensors.map { problem.tensors[$0].endStep }.max() ?? 0)
    topInBytes = max(1, plan.arenas[arena].peakInBytes, plan.arenas[arena].lowerBoundInBytes)
  }

  func x(_ step: Int) -> Double { left + Double(step - steps.lowerBound) / Double(steps.count) * width }
  func y(_ byte: Int) -> Double { top + height - Double(byte) / Double(topInBytes) * height }

  var svg: String {
    let isView = Set(problem.aliases.map(\.tensor))
    let isInPlace = Set(plan.usedInPlacePairs.map { problem.inPlacePairs[$0].output })
    var text = header
    for tensor in tensors where !isView.contains(tensor) {
      text += rectangle(tensor, "fill='\(Self.colours[tensor % Self.colours.count])'")
      if isInPlace.contains(tensor) { text += inPlaceMark(tensor) }
    }
    for tensor in tensors where isView.contains(tensor) {
      text += rectangle(tensor, "fill='#fff' fill-opacity='0.25' stroke-dasharray='3 2'")
    }
    text += tensors.map(label).joined()
    text += axes
    text += line(result.peakInBytes, "peak", "#000", dash: "none")
    text += line(result.lowerBoundInBytes, "lower bound", "#c00", dash: "8 4")
    return text + "</svg>\n"
  }

  private var header: String {
    let (wide, high) = (number(left + width + 30), number(top + height + 60))
    let name = problem.arenas[arena].name.isEmpty ? "arena \(arena)" : problem.arenas[arena].name
    let ratio = number(result.ratio)
    let title =
      "\(escaped(name)): peak \(bytes(result.peakInBytes)), lower bound \(bytes(result.lowerBoundInBytes)), "
      + "ratio \(ratio), \(tensors.count) tensors"
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(wide) \(high)" font-family="sans-serif" font-size="12">
      <rect width="\(wide)" height="\(high)" fill="#fff"/>
      <text x="\(number(left))" y="24" font-size="16">\(title)</text>

      """
  }

  private func rectangle(_ tensor: Int, _ style: String) -> String {
    let lifetime = problem.tensors[tensor]
    let offset = plan.offsetsInBytes[tensor]
    let (low, high) = (x(lifetime.firstStep), x(lifetime.endStep))
    let (bottom, above) = (y(offset), y(offset + lifetime.sizeInBytes))
    let title =
      "\(escaped(problem.label(ofTensor: tensor))): \(bytes(lifetime.sizeInBytes)) at byte \(offset), "
      + "steps \(lifetime.firstStep)..&lt;\(lifetime.endStep)"
    // Edges half a pixel wide at most: a thousand thick ones would hide what they surround.
    return "<rect x='\(number(low))' y='\(number(above))' width='\(number(high - low))' "
      + "height='\(number(bottom - above))' \(style) stroke='#333' stroke-width='0.4'><title>\(title)</title></rect>\n"
  }

  private func inPlaceMark(_ tensor: Int) -> String {
    let lifetime = problem.tensors[tensor]
    let offset = plan.offsetsInBytes[tensor]
    let place = number(x(lifetime.firstStep))
    return "<path d='M\(place) \(number(y(offset)))V\(number(y(offset + lifetime.sizeInBytes)))' "
      + "stroke='#333' stroke-width='2'/>\n"
  }

  /// The name, where there is room for it; the tooltip has it anyway.
  private func label(_ tensor: Int) -> String {
    let lifetime = problem.tensors[tensor]
    let name = lifetime.name.isEmpty ? "#\(tensor)" : lifetime.name
    let (low, high) = (x(lifetime.firstStep), x(lifetime.endStep))
    let offset = plan.offsetsInBytes[tensor]
    let (bottom, above) = (y(offset), y(offset + lifetime.sizeInBytes))
    if high - low < Double(name.count) * 7 + 4 || bottom - above < 14 { return "" }
    return "<text x='\(number((low + high) / 2))' y='\(number((bottom + above) / 2 + 4))' text-anchor='middle' "
      + "pointer-events='none'>\(escaped(name))</text>\n"
  }

  private var axes: String {
    var text = "<path d='M\(number(left)) \(number(top))v\(number(height))h\(number(width))' fill='none' stroke='#000'/>\n"
    for step in ticks(steps.lowerBound, steps.upperBound, base: 10) {
      text += "<path d='M\(number(x(step))) \(number(top + height))v5' stroke='#000'/>"
      text += "<text x='\(number(x(step)))' y='\(number(top + height + 18))' text-anchor='middle'>\(step)</text>\n"
    }
    for byte in ticks(0, topInBytes, base: 2) {
      text += "<path d='M\(number(left)) \(number(y(byte)))h-5' stroke='#000'/>"
      text += "<text x='\(number(left - 8))' y='\(number(y(byte) + 4))' text-anchor='end'>\(bytes(byte))</text>\n"
    }
    text += "<text x='\(number(left + width / 2))' y='\(number(top + height + 42))' text-anchor='middle'>step</text>"
    let middle = number(top + height / 2)
    return text + "<text x='16' y='\(middle)' text-anchor='middle' transform='rotate(-90 16 \(middle))'>bytes</text>\n"
  }

  private func line(_ byte: Int, _ name: String, _ colour: String, dash: String) -> String {
    let height = number(y(byte))
    return "<path d='M\(number(left)) \(height)h\(number(width))' stroke='\(colour)' stroke-dasharray='\(dash)'>"
      + "<title>\(name): \(bytes(byte))</title></path>\n"
  }

  /// At most sixteen multiples, between `low` and `high`, of a round number: a power of two, or 1, 2 or 5 times one of ten.
  private func ticks(_ low: Int, _ high: Int, base: Int) -> [Int] {
    var (unit, spacing) = (1, 1)
    while (high - low) / spacing > 15 {
      if base == 2 {
        spacing *= 2
      } else if spacing == 5 * unit {
        (unit, spacing) = (10 * unit, 10 * unit)
      } else {
        spacing = spacing == unit ? 2 * unit : 5 * unit
      }
    }
    return Array(stride(from: low + (spacing - low % spacing) % spacing, through: high, by: spacing))
  }
}

/// Two decimals are enough for pixels and ratios.
private func number(_ value: Double) -> String {
  // Not rounded(): that needs libm, which nothing links for a module without Foundation.
  let hundredths = Int(value * 100 + (value < 0 ? -0.5 : 0.5))
  let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
  let sign = hundredths < 0 ? "-" : ""
  if rest == 0 { return "\(sign)\(whole)" }
  return rest < 10 ? "\(sign)\(whole).0\(rest)" : "\(sign)\(whole).\(rest)"
}

private func bytes(_ count: Int) -> String {
  var (value, unit) = (Double(count), 0)
  while value >= 1024, unit < 4 { (value, unit) = (value / 1024, unit + 1) }
  return "\(number(value)) \(["B", "KiB", "MiB", "GiB", "TiB"][unit])"
}

private func escaped(_ text: String) -> String {
  var result = ""
  for character in text.unicodeScalars {
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    // XML 1.0 has no way to write other control characters.
    case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": result += " "
    default: result.unicodeScalars.append(character)
    }
  }
  return result
}
