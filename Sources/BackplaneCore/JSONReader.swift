/// Reads one JSON object and complains about what it does not expect, with file and place.
package struct JSONReader {
  package let file: String
  package let place: String
  private let members: [JSON.Member]

  package init(_ json: JSON, file: String, place: String = "", fields: [String]) throws(BackplaneError) {
    self.file = file
    self.place = place
    guard case .object(let members) = json else { throw BackplaneError(.file, "\(place.isEmpty ? "the file" : place) is no object", subject: file) }
    self.members = members
    for member in members where !fields.contains(member.key) {
      throw wrong(member.key, "is not a known field", hint: "known are \(fields.joined(separator: ", "))")
    }
  }

  package func wrong(_ field: String, _ message: String, hint: String? = nil) -> BackplaneError {
    BackplaneError(.file, "\(place.isEmpty ? "" : "\(place): ")'\(field)' \(message)", subject: file, hint: hint)
  }

  package func value(_ field: String) -> JSON? { members.first { $0.key == field }?.value }

  package func required(_ field: String) throws(BackplaneError) -> JSON {
    guard let value = value(field) else { throw wrong(field, "is missing") }
    return value
  }

  package func string(_ field: String) throws(BackplaneError) -> String {
    guard case .string(let s) = try required(field) else { throw wrong(field, "is no string") }
    return s
  }
  package func optionalString(_ field: String) throws(BackplaneError) -> String? { value(field) == nil ? nil : try string(field) }

  package func int(_ field: String) throws(BackplaneError) -> Int {
    guard case .int(let i) = try required(field) else { throw wrong(field, "is no whole number") }
    return i
  }
  package func optionalInt(_ field: String) throws(BackplaneError) -> Int? { value(field) == nil ? nil : try int(field) }

  package func number(_ field: String) throws(BackplaneError) -> Double? {
    switch value(field) {
    case nil: return nil
    case .int(let i): return Double(i)
    case .float(let f): return f
    default: throw wrong(field, "is no number")
    }
  }

  package func bool(_ field: String) throws(BackplaneError) -> Bool {
    switch value(field) {
    case nil: return false
    case .bool(let b): return b
    default: throw wrong(field, "is neither true nor false")
    }
  }

  /// Empty when the field is missing.
  package func array(_ field: String) throws(BackplaneError) -> [JSON] {
    switch value(field) {
    case nil: return []
    case .array(let values): return values
    default: throw wrong(field, "is no list")
    }
  }

  package func strings(_ field: String) throws(BackplaneError) -> [String] {
    var strings: [String] = []
    for value in try array(field) {
      guard case .string(let s) = value else { throw wrong(field, "is no list of strings") }
      strings.append(s)
    }
    return strings
  }

  /// Members in the file's order; empty when the field is missing.
  package func object(_ field: String) throws(BackplaneError) -> [JSON.Member] {
    switch value(field) {
    case nil: return []
    case .object(let members): return members
    default: throw wrong(field, "is no object")
    }
  }
}
