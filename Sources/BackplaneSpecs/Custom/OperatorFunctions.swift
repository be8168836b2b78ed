import BackplaneCore

/// What an application says of its own operator in code where the operator's definition does not say it. Called on any thread, several at once.
public struct OperatorFunctions: Sendable {
  /// The shapes of all outputs, optional ones included, from operands (nil where an optional one is absent) and all attributes.
  ///
  /// Shapes may hold the operands' symbols. Formats and ranks have been checked; what it throws is the error that the graph's author sees.
  public typealias Shapes = @Sendable (_ inputs: [TensorDescription?], _ attributes: [Attribute]) throws -> [Shape]
  /// The values of all outputs, row-major and not yet rounded to their format, from the operands' values and all attributes.
  ///
  /// - Parameter outputs: Format and shape of each output; their values are empty.
  public typealias Reference = @Sendable (_ inputs: [OperatorValues?], _ attributes: [Attribute], _ outputs: [OperatorValues]) throws -> [OperatorValues]

  public var shapes: Shapes?
  public var reference: Reference?

  public init(shapes: Shapes? = nil, reference: Reference? = nil) { (self.shapes, self.reference) = (shapes, reference) }

  var isEmpty: Bool { shapes == nil && reference == nil }
}

/// A tensor as a reference function sees it: every element a double, whole numbers too.
public struct OperatorValues: Sendable {
  public let format: ElementFormat
  public let shape: [Int]
  /// Row-major.
  public var values: [Double]
  /// Of an output: how far a correct kernel's f32 arithmetic may be from each value, beyond what the definition's `numerics` allow.
  public var errors: [Double]?

  public init(format: ElementFormat, shape: [Int], values: [Double] = [], errors: [Double]? = nil) {
    (self.format, self.shape, self.values, self.errors) = (format, shape, values, errors)
  }

  public var count: Int { shape.reduce(1, *) }
}

extension OperatorSpec {
  /// The reference function's answer, complete and of the right sizes.
  ///
  /// - Throws: ``BackplaneError``: what the function throws, or what is wrong with its answer; unsupported when there is no function.
  package func evaluate(_ inputs: [OperatorValues?], _ attributes: [Attribute], _ outputs: [OperatorValues]) throws(BackplaneError) -> [OperatorValues] {
    guard let reference = functions?.reference else { throw failure(.unsupported, "has no reference function") }
    let made: [OperatorValues]
    do { made = try reference(inputs, attributes, outputs) } catch { throw failure(of: "the reference function", error) }
    guard made.count == outputs.count else { throw failure(.invalid, "the reference function gave \(made.count) outputs, the operator has \(outputs.count)") }
    for (j, (made, wanted)) in zip(made, outputs).enumerated() {
      guard made.values.count == wanted.count, made.errors.map({ $0.count == wanted.count }) ?? true else {
        throw failure(.invalid, "the reference function gave \(made.values.count) values\(made.errors.map { " and \($0.count) errors" } ?? "") for "
          + "\(self.outputs[j].name)\(wanted.shape), which has \(wanted.count)")
      }
    }
    return made
  }

  /// The shape function's answer, of which every extent can be one.
  func shapes(of inputs: [TensorDescription?], _ attributes: [Attribute], _ function: OperatorFunctions.Shapes) throws(BackplaneError) -> [Shape] {
    let shapes: [Shape]
    do { shapes = try function(inputs, attributes) } catch { throw failure(of: "the shape function", error) }
    guard shapes.count == outputs.count else { throw failure(.invalid, "the shape function gave \(shapes.count) shapes, the operator has \(outputs.count) outputs") }
    for (output, shape) in zip(outputs, shapes) where shape.rank > Shape.maximumRank || shape.dimensions.contains(where: { $0.minimum < 0 }) {
      throw failure(.invalid, "the shape function gave \(shape) for \(output.name): at most \(Shape.maximumRank) extents, none negative")
    }
    return shapes
  }

  private func failure(_ kind: BackplaneError.Kind, _ message: String) -> BackplaneError {
    var error = BackplaneError(kind, message)
    error.op = name
    return error
  }

  private func failure(of function: String, _ error: any Error) -> BackplaneError {
    var told = error as? BackplaneError ?? BackplaneError(.invalid, "\(error)")
    told.message = "\(function) failed: \(told.message)"
    if told.op == nil { told.op = name }
    return told
  }
}
