import BackplaneC
import BackplaneCHeader
import Testing

private func definition(_ name: String, shape: String = "...", meaning: String) -> String {
  #"{"op": "\#(name)", "version": 1, "summary": "Repeats and adds.", "inputs": [{"name": "x", "formats": ["@float"], "shape": "..."}, {"name": "b", "formats": ["f32"], "shape": "n", "optional": true}], "#
    + #""outputs": [{"name": "y", "formats": ["=x"], "shape": "\#(shape)"}], "attributes": [{"name": "gain", "type": "float", "default": 2.0, "text": "g"}, "#
    + #"{"name": "mode", "type": "string", "default": "plain", "text": "m"}], "semantics": ["y = [gain x, gain x]"], \#(meaning)}"#
}
private let exact = #""numerics": {"bound": "rounding", "roundings": 1}"#

extension CInterface {
  @Suite struct OperatorTests {
    /// y[2, …] = gain x, twice. The user's number is added to each value.
    private func functions(_ offset: UnsafeMutablePointer<Double>?) -> bp_operator_functions {
      var functions = sized(bp_operator_functions())
      functions.user = UnsafeMutableRawPointer(offset)
      functions.shapes = { _, inputs, _, _, _, ranks, extents, _ in
        guard let x = inputs?[0], let ranks, let extents else { return BP_E_INVALID }
        ranks[0] = x.rank + 1
        extents[0] = 2
        for d in 0..<Int(x.rank) { extents[d + 1] = x.extents[d] }
        return x.rank == 3 ? BP_E_UNSUPPORTED : BP_OK
      }
      functions.reference = { user, inputs, count, attributes, attributeCount, outputs, _ in
        guard let x = inputs?[0], let b = inputs?[1], let y = outputs?[0], let attributes, count == 2, attributeCount == 2, b.format == nil else { return BP_E_INVALID }
        guard String(cString: attributes[0].name) == "gain", String(cString: attributes[1].text) == "plain", x.count * 2 == y.count else { return BP_E_INVALID }
        let offset = user?.assumingMemoryBound(to: Double.self).pointee ?? 0
        for i in 0..<Int(y.count) { y.values[i] = attributes[0].f * x.values[i % Int(x.count)] + offset }
        return offset < 0 ? BP_E_DRIVER : BP_OK
      }
      return functions
    }

    @Test func anOperatorWithFunctionsRuns() throws {
      let handles = Handles()
      let runtime = try handles.runtime()
      let offset = UnsafeMutablePointer<Double>.allocate(capacity: 1)  // for the life of the process, as the header says
      offset.initialize(to: 0.5)
      var functions = functions(offset)
      try must { bp_operator_register(definition("capi.twice", shape: "?", meaning: exact), &functions, $0) }
      var model: bp_model?
      try must { bp_model_create(&model, $0) }
      let kept = try handles.keep(model)
      var (rows, x, cube, y, none): (UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0)
      try must { bp_model_symbol(kept, "rows", 1, 8, &rows, $0) }
      try must { bp_model_input(kept, "x", "f32", 2, [-Int64(rows), 2], &x, $0) }
      try must { bp_model_input(kept, "cube", "f32", 3, [2, 2, 2], &cube, $0) }
      try must { bp_model_apply(kept, "capi.twice", [x], 1, "{\"gain\": 3}", "y", 0, &y, 1, $0) }
      refused(BP_E_INVALID, "the shape function failed", "capi.twice") { bp_model_apply(kept, "capi.twice", [cube], 1, nil, nil, 0, &none, 1, $0) }
      try must { bp_model_output(kept, y, nil, $0) }
      let session = try handles.session(runtime, kept)
      try must { bp_session_write(session, x, [1, 2, 3, 4] as [Float], 16, $0) }
      try must { bp_session_run(session, [2], 1, nil, $0) }
      var out = [Float](repeating: 0, count: 8)
      try must { bp_session_read(session, y, &out, 32, $0) }
      #expect(out == [3.5, 6.5, 9.5, 12.5, 3.5, 6.5, 9.5, 12.5])
      offset.pointee = -1
      refused(BP_E_INVALID, "the reference function failed: it answered -9") { bp_session_run(session, [2], 1, nil, $0) }
    }

    @Test func whatIsWrongWithADefinitionIsSaid() {
      refused(BP_E_INVALID, "definition is NULL") { bp_operator_register(nil, nil, $0) }
      refused(BP_E_FILE, "line") { bp_operator_register("{", nil, $0) }
      refused(BP_E_FILE, "no name for an operator of your own") { bp_operator_register(definition("twice", meaning: exact), nil, $0) }
      refused(BP_E_FILE, "neither a composition nor a reference function") { bp_operator_register(definition("capi.none", meaning: exact), nil, $0) }
      refused(BP_E_FILE, "shape function") { bp_operator_register(definition("capi.none", shape: "?", meaning: exact), nil, $0) }
      var functions = functions(nil)
      refused(BP_E_FILE, "no room for a function") {
        bp_operator_register(definition("capi.both", shape: "?", meaning: #""composition": [{"op": "neg", "inputs": ["x"], "outputs": ["y"]}], "numerics": {"bound": "composition"}"#), &functions, $0)
      }
      functions.struct_size = 5
      refused(BP_E_INVALID, "struct_size") { bp_operator_register(definition("capi.none", meaning: exact), &functions, $0) }
    }
  }
}
