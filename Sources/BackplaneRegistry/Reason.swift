import BackplaneCore

/// A code of the catalogue of refusals, `Specs/abi/reasons.json`.
public struct Reason: Hashable, Sendable, CustomStringConvertible {
  public let code: UInt32
  public init(code: UInt32) { self.code = code }

  /// The catalogue's text; "reason 99" for a code that this host does not know.
  public var description: String { ReasonCatalogue.with(code: code)?.text ?? "reason \(code)" }
}
