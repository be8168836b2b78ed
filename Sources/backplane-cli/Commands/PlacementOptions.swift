import Backplane
import Foundation

/// Options that say where nodes run.
extension SharedOptions {
  static let placement = [
    device, Option("fallback", "POLICY", "allow, warn (default) or forbid running a node on another device than the first of --device, where that one refuses it"),
    Option("pin", "NODES=DEVICE", "an operator, or nodes by name (* for anything), must run there; may be given again"),
    Option("device-memory", "DEVICE=BYTES", "most weights and states on a device (suffixes KB, MB, GB); may be given again"),
    Option("measure", nil, "time each kind of node on each device, and place by that; times are kept between runs"),
    Option("split", "auto|SHARE", "run one matmul or attention on two devices at once: auto where their rates say so, or this share (0 to 1) on the second"),
    Option("placement", "FILE", "write where each node runs, why, and at what cost: .txt, .json or .svg; may be given again"),
  ]

  static func compileOptions(_ arguments: Arguments, _ runtime: Runtime) throws -> CompileOptions {
    var options = CompileOptions(devices: try devices(arguments, runtime))
    if let name = arguments["fallback"] {
      guard let policy = FallbackPolicy(rawValue: name) else { throw UsageError("--fallback takes allow, warn or forbid, not '\(name)'") }
      options.fallback = policy
    }
    for (nodes, device) in try pairs(arguments, "pin") { options.pins.append(PlacementPin(nodes, device: device)) }
    for (name, bytes) in try pairs(arguments, "device-memory") {
      let device = try runtime.device(name)
      guard options.devices.contains(where: { $0 === device }) else { throw UsageError("--device-memory is about \(name), which is not among --device") }
      options.memoryBudgets[device.id] = try byteCount(bytes, "device-memory")
    }
    options.measures = arguments.has("measure")
    if let split = arguments["split"] { options.splits = split == "auto" ? .auto : .share(try arguments.double("split", 0...1)!) }
    for file in arguments.all("placement") { _ = try PlacementFile(file) }
    return options
  }

  private static func pairs(_ arguments: Arguments, _ name: String) throws -> [(String, String)] {
    try arguments.all(name).map { text in
      guard let at = text.lastIndex(of: "="), at != text.startIndex, text.index(after: at) != text.endIndex else {
        throw UsageError("--\(name) takes NAME=VALUE, not '\(text)'")
      }
      return (String(text[..<at]), String(text[text.index(after: at)...]))
    }
  }

  /// Writes the report to each file asked for.
  static func writePlacement(_ report: PlacementReport, _ arguments: Arguments) throws {
    for file in arguments.all("placement") { try PlacementFile(file).write(report) }
  }
}

extension SharedOptions {
  static func writeTrace(_ runtime: Runtime, _ arguments: Arguments) throws {
    if let file = arguments["trace"], let trace = runtime.trace { try writeFile(trace.json, to: file) }
  }
}

/// A file for the placement report; its name says the form.
private struct PlacementFile {
  let path: String
  private let text: (PlacementReport) -> String

  init(_ path: String) throws {
    let forms: [String: (PlacementReport) -> String] = ["txt": \.text, "json": \.json, "svg": \.svg]
    guard let form = forms[URL(fileURLWithPath: path).pathExtension.lowercased()] else {
      throw UsageError("--placement takes a file that ends in .txt, .json or .svg, not '\(path)'")
    }
    (self.path, text) = (path, form)
  }

  func write(_ report: PlacementReport) throws { try writeFile(text(report), to: path) }
}

/// - Throws: ``BackplaneError`` (file): what the system says.
func writeFile(_ text: String, to path: String) throws {
  do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
    throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: path)
  }
}
