public import BackplaneABI
import BackplanePlanner

/// Where a tensor of a program lies.
public enum TensorPlace: Sendable, Equatable {
  /// In binding `number` of a dispatch: graph inputs, then graph outputs.
  case binding(Int)
  case workspace(offsetInBytes: Int)
  /// Neither bound nor written by any node.
  case nowhere
}

/// What the layout of a program's workspace depends on.
public struct WorkspaceRequest {
  public var graph: GraphReader
  /// One a tensor, at the symbols' upper bounds.
  public var bytes: [Int]
  /// `tensor` shares all of `base`'s storage. A view must be no graph output.
  public var views: [(tensor: Int, base: Int)] = []
  /// Permissions: the output may take the input's storage when the input is not needed afterwards.
  public var inPlace: [(node: Int, input: Int, output: Int)] = []
  /// Bytes that node i's kernels need beside tensors; live during that node only.
  public var scratch: [Int]
  public var alignment = 64

  public init(graph: GraphReader, bytes: [Int]) {
    (self.graph, self.bytes) = (graph, bytes)
    scratch = [Int](repeating: 0, count: graph.nodes.count)
  }
}

/// A program's workspace: where each intermediate tensor and each kernel's scratch memory lies.
public struct WorkspacePlan {
  public let bytes: Int
  public let alignment: Int
  /// One a tensor of the graph.
  public let places: [TensorPlace]
  /// One a node; meaningless where no scratch was asked for.
  public let scratchOffsets: [Int]
  /// What `program_info` shows.
  public let placements: [bp_placement]
  /// In-place pairs of a graph input and a graph output, for `program_info`.
  public let aliases: [(input: Int, output: Int)]

  public init(_ request: WorkspaceRequest) throws(PluginError) {
    let graph = request.graph, lives = Lives(request)
    var places = lives.boundPlaces
    var problem = PlanProblem(tensors: [])
    var indexOfTensor = [Int](repeating: -1, count: graph.tensors.count)
    for tensor in graph.tensors.indices where places[lives.base[tensor]] == .nowhere && lives.first[tensor] >= 0 {
      indexOfTensor[tensor] = problem.tensors.count
      problem.tensors.append(Lifetime(
        sizeInBytes: request.bytes[tensor], alignmentInBytes: request.alignment, firstStep: lives.first[tensor], endStep: lives.end[tensor]))
    }
    for view in request.views where indexOfTensor[view.tensor] >= 0 && indexOfTensor[view.base] >= 0 {
      problem.aliases.append(Alias(indexOfTensor[view.tensor], of: indexOfTensor[view.base]))
    }
    var aliases: [(input: Int, output: Int)] = []
    for pair in request.inPlace where lives.mayOverwrite(pair) {
      if indexOfTensor[pair.input] >= 0, indexOfTensor[pair.output] >= 0 {
        problem.inPlacePairs.append(InPlacePair(input: indexOfTensor[pair.input], output: indexOfTensor[pair.output]))
      } else if lives.isInput[pair.input], lives.isOutput[pair.output] {
        aliases.append((pair.input, pair.output))
      }
    }
    let tensorCount = problem.tensors.count
    var scratchIndex = [Int](repeating: -1, count: graph.nodes.count)
    for (node, bytes) in request.scratch.enumerated() where bytes > 0 {
      scratchIndex[node] = problem.tensors.count
      problem.tensors.append(Lifetime(sizeInBytes: bytes, alignmentInBytes: request.alignment, firstStep: node, endStep: node + 1))
    }
    let plan: Plan
    do {
      plan = try Planner().plan(problem)
    } catch {
      throw PluginError(BP_E_INTERNAL, "workspace: \(error)")
    }
    for tensor in graph.tensors.indices {
      if indexOfTensor[tensor] >= 0 {
        places[tensor] = .workspace(offsetInBytes: plan.offsetsInBytes[indexOfTensor[tensor]])
      } else if lives.base[tensor] != tensor {
        places[tensor] = places[lives.base[tensor]]
      }
    }
    var placements: [bp_placement] = []
    let views = Dictionary(request.views.map { ($0.tensor, $0.base) }, uniquingKeysWith: { first, _ in first })
    let overwritten = Dictionary(plan.usedInPlacePairs.map { (problem.inPlacePairs[$0].output, problem.inPlacePairs[$0].input) },
                                 uniquingKeysWith: { first, _ in first })
    var tensorOfIndex = [Int](repeating: 0, count: tensorCount)
    for (tensor, index) in indexOfTensor.enumerated() where index >= 0 { tensorOfIndex[index] = tensor }
    for (index, life) in problem.tensors.enumerated() {
      var record = bp_placement()
      record.h = head(bp_placement.self, BP_ST_PLACEMENT)
      record.tensor = index < tensorCount ? UInt32(tensorOfIndex[index]) : BP_NO_TENSOR
      let shares = index < tensorCount ? views[tensorOfIndex[index]] ?? overwritten[index].map { tensorOfIndex[$0] } : nil
      record.alias_of = shares.map { UInt32($0) } ?? BP_NO_TENSOR
      (record.first_node, record.end_node) = (UInt32(life.firstStep), UInt32(life.endStep))
      (record.offset, record.bytes) = (UInt64(plan.offsetsInBytes[index]), UInt64(life.sizeInBytes))
      placements.append(record)
    }
    bytes = plan.arenas[0].peakInBytes
    alignment = request.alignment
    scratchOffsets = scratchIndex.map { $0 >= 0 ? plan.offsetsInBytes[$0] : 0 }
    (self.places, self.placements, self.aliases) = (places, placements, aliases)
  }
}

/// Who writes and reads each tensor's storage, and when.
private struct Lives {
  /// The tensor whose storage it is: itself unless it is a view.
  var base: [Int]
  /// Node that writes it, -1 never.
  var first: [Int]
  /// One past the last node that reads or writes it.
  var end: [Int]
  /// Of the storage: `end` over a tensor and all its views.
  var storageEnd: [Int]
  var isInput: [Bool]
  var isOutput: [Bool]
  var boundPlaces: [TensorPlace]
  let graph: GraphReader

  init(_ request: WorkspaceRequest) {
    graph = request.graph
    let count = graph.tensors.count
    base = Array(0..<count)
    first = [Int](repeating: -1, count: count)
    end = [Int](repeating: 0, count: count)
    isInput = [Bool](repeating: false, count: count)
    isOutput = isInput
    boundPlaces = [TensorPlace](repeating: .nowhere, count: count)
    for (number, tensor) in graph.outputs.enumerated().reversed() {
      boundPlaces[Int(tensor)] = .binding(graph.inputs.count + number)
      isOutput[Int(tensor)] = true
    }
    for (number, tensor) in graph.inputs.enumerated().reversed() {  // a state is both: its input binding counts
      boundPlaces[Int(tensor)] = .binding(number)
      isInput[Int(tensor)] = true
    }
    for view in request.views { base[view.tensor] = base[view.base] }  // bases come before their views: nodes are in order
    for (number, node) in graph.nodes.enumerated() {
      for tensor in node.outputs where tensor != BP_NO_TENSOR {
        if first[Int(tensor)] < 0 { first[Int(tensor)] = number }
        end[Int(tensor)] = number + 1
      }
      for tensor in node.inputs where tensor != BP_NO_TENSOR { end[Int(tensor)] = number + 1 }
    }
    storageEnd = end
    for tensor in 0..<count { storageEnd[base[tensor]] = max(storageEnd[base[tensor]], end[tensor]) }
  }

  /// The input's storage is not needed after the node, is no other operand of it, and the caller gave it up: constants and states
  /// are never given up, nor is an input that is an output too.
  func mayOverwrite(_ pair: (node: Int, input: Int, output: Int)) -> Bool {
    let storage = base[pair.input], node = graph.nodes[pair.node]
    let flags = graph.tensors[storage].flags
    guard storage != base[pair.output], storageEnd[storage] == pair.node + 1, flags & (BP_TENSOR_CONST | BP_TENSOR_STATE) == 0,
          !(isInput[storage] && isOutput[storage]) else { return false }
    return node.inputs.count { $0 != BP_NO_TENSOR && base[Int($0)] == storage } == 1
  }
}
