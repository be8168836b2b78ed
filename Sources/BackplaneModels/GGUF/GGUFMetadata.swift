/// The key-value pairs of a GGUF file.
///
/// Getters answer nil for a key that is absent and throw for a value of the wrong type; `required…` throw for both.
public struct GGUFMetadata: Sendable {
  /// In the file's order.
  public let keys: [String]
  private let values: [String: GGUFValue]
  /// The file's name, for errors.
  let subject: String

  init(keys: [String], values: [String: GGUFValue], subject: String) {
    self.keys = keys
    self.values = values
    self.subject = subject
  }

  public subscript(key: String) -> GGUFValue? { values[key] }

  public func string(_ key: String) throws(BackplaneError) -> String? { try get(key, "a string") { $0.string } }
  public func int(_ key: String) throws(BackplaneError) -> Int? { try get(key, "an integer") { $0.int } }
  public func float(_ key: String) throws(BackplaneError) -> Double? { try get(key, "a float") { $0.float ?? $0.int.map(Double.init) } }
  public func bool(_ key: String) throws(BackplaneError) -> Bool? { try get(key, "a bool") { $0.bool } }
  public func ints(_ key: String) throws(BackplaneError) -> [Int]? { try get(key, "an array of integers") { $0.array?.ints() } }
  public func floats(_ key: String) throws(BackplaneError) -> [Double]? { try get(key, "an array of floats") { $0.array?.floats() } }
  public func strings(_ key: String) throws(BackplaneError) -> [String]? { try get(key, "an array of strings") { $0.array?.strings() } }
  /// An array as it lies in the file, of the given element type.
  public func array(_ key: String, of type: GGUFValueType) throws(BackplaneError) -> GGUFArray? {
    try get(key, "an array of \(type)") { $0.array.flatMap { $0.elementType == type ? $0 : nil } }
  }

  public func requiredString(_ key: String) throws(BackplaneError) -> String { try require(key, string(key)) }
  public func requiredInt(_ key: String) throws(BackplaneError) -> Int { try require(key, int(key)) }
  public func requiredFloat(_ key: String) throws(BackplaneError) -> Double { try require(key, float(key)) }

  private func get<T>(_ key: String, _ what: String, _ convert: (GGUFValue) -> T?) throws(BackplaneError) -> T? {
    guard let value = values[key] else { return nil }
    if let converted = convert(value) { return converted }
    throw BackplaneError(.file, "metadata \(key) is \(value) (\(value.type)); \(what) is wanted", subject: subject,
                         hint: "convert the model again with a current converter")
  }

  private func require<T>(_ key: String, _ value: T?) throws(BackplaneError) -> T {
    if let value { return value }
    throw BackplaneError(.file, "metadata \(key) is missing", subject: subject, hint: "convert the model again with a current converter")
  }
}
