import BackplaneABI
import BackplaneCore
import BackplaneSpecs

/// The names behind the numbers that cross the ABI, for messages.
enum KnownNames {
  static let byNumber: [bp_id: PermanentText] = {
    var names: Set<String> = ["strided", "act_block", "operand_round", "p_round", "ftz", "isa", "threads", "node", "variant", "bytes", "kernel"]
    for format in ElementFormat.all { names.insert(format.name) }
    for spec in OperatorSpec.all {
      names.insert(spec.name)
      for attribute in spec.attributes { names.insert(attribute.name) }
    }
    return Dictionary(names.map { (Identifier($0).value, PermanentText($0)) }) { first, _ in first }
  }()
}
