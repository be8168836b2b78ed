import BackplaneABI
import BackplaneCore
import Glibc

/// Runs a graph's nodes by simple loops over f32. Running allocates nothing.
final class FakeProgram {
  struct Node {
    var op: FakeOperator
    var inputs: (Int, Int, Int, Int) = (-1, -1, -1, -1)
    var outputs: (Int, Int) = (-1, -1)
    var attributes: (Double, Double) = (0, 0)
    var isCircular = false
  }
  struct Tensor {
    var dims: [Int]
    var symbols: [UInt32]
    var maximum: [Int]
    var binding = -1
    var offset = -1
    var elementBytes = 4
  }
  let nodes: UnsafeMutableBufferPointer<Node>
  let tensors: UnsafeMutableBufferPointer<Tensor>
  let workspaceBytes: Int
  let placements: UnsafeMutableBufferPointer<bp_placement>

  init(_ graph: UnsafePointer<bp_graph>, _ device: FakeDevice) {
    func element<T>(_ array: bp_array, _ i: Int, _: T.Type) -> T { (array.ptr + i * Int(array.stride)).assumingMemoryBound(to: T.self).pointee }
    var tensors: [Tensor] = (0..<Int(graph.pointee.tensors.count)).map { i in
      let tensor = element(graph.pointee.tensors, i, bp_tensor.self)
      func list<T, V>(_ values: T, _: V.Type) -> [V] { withUnsafeBytes(of: values) { Array($0.assumingMemoryBound(to: V.self).prefix(Int(tensor.rank))) } }
      return Tensor(dims: list(tensor.dim, Int64.self).map { Int($0) }, symbols: list(tensor.symbol, UInt32.self),
                    maximum: list(tensor.dim_max, Int64.self).map { Int($0) }, elementBytes: tensor.dtype == ElementFormat.i64.id.value ? 8 : 4)
    }
    let nodes = (0..<Int(graph.pointee.nodes.count)).map { i in
      let node = element(graph.pointee.nodes, i, bp_node.self)
      func input(_ k: Int) -> Int { k < Int(node.n_in) && node.in[k] != BP_NO_TENSOR ? Int(node.in[k]) : -1 }
      func output(_ k: Int) -> Int { k < Int(node.n_out) && node.out[k] != BP_NO_TENSOR ? Int(node.out[k]) : -1 }
      var made = Node(op: FakeOperator.byID[node.op]!, inputs: (input(0), input(1), input(2), input(3)), outputs: (output(0), output(1)))
      if node.attrs.count > 0 { made.attributes.0 = element(node.attrs, 0, bp_attr.self).f }
      if node.attrs.count > 1 { made.attributes.1 = element(node.attrs, 1, bp_attr.self).f }
      return made
    }
    for k in 0..<Int(graph.pointee.n_inputs) { tensors[Int(graph.pointee.inputs[k])].binding = k }
    for k in 0..<Int(graph.pointee.n_outputs) where tensors[Int(graph.pointee.outputs[k])].binding < 0 {
      tensors[Int(graph.pointee.outputs[k])].binding = Int(graph.pointee.n_inputs) + k
    }
    var end = 0
    var placements: [bp_placement] = []
    for t in tensors.indices where tensors[t].binding < 0 {
      tensors[t].offset = device.options.liesAboutPlacements ? 0 : end
      let bytes = tensors[t].maximum.reduce(4, *)
      end += (bytes + 63) / 64 * 64
      var placement = bp_placement()
      placement.h = record(bp_placement.self, BP_ST_PLACEMENT)
      (placement.tensor, placement.alias_of) = (UInt32(t), BP_NO_TENSOR)
      (placement.first_node, placement.end_node) = (0, UInt32(nodes.count))
      (placement.offset, placement.bytes) = (UInt64(tensors[t].offset), UInt64(bytes))
      placements.append(placement)
    }
    workspaceBytes = end
    self.nodes = .allocate(capacity: nodes.count)
    _ = self.nodes.initialize(from: nodes)
    self.tensors = .allocate(capacity: tensors.count)
    _ = self.tensors.initialize(from: tensors)
    self.placements = .allocate(capacity: placements.count)
    _ = self.placements.initialize(from: placements)
  }

  deinit {
    nodes.deallocate()
    tensors.deinitialize().deallocate()
    placements.deallocate()
  }

  private struct Run {
    let dispatch: UnsafePointer<bp_dispatch>
    func value(_ symbol: UInt32) -> Int {
      let symbols = dispatch.pointee.symbols
      for i in 0..<Int(symbols.count) {
        let record = (symbols.ptr + i * Int(symbols.stride)).assumingMemoryBound(to: bp_symbol_value.self)
        if record.pointee.symbol == symbol { return Int(record.pointee.value) }
      }
      return -1
    }
    func extent(_ tensor: borrowing Tensor, _ i: Int) -> Int { tensor.dims[i] >= 0 ? tensor.dims[i] : value(tensor.symbols[i]) }
    func count(_ tensor: borrowing Tensor) -> Int {
      var count = 1
      for i in tensor.dims.indices { count *= extent(tensor, i) }
      return count
    }
    func address(_ tensor: borrowing Tensor) -> UnsafeMutableRawPointer {
      let binding: UnsafePointer<bp_binding>
      if tensor.binding < 0 { binding = dispatch.pointee.workspace } else {
        binding = (dispatch.pointee.bindings.ptr + tensor.binding * Int(dispatch.pointee.bindings.stride)).assumingMemoryBound(to: bp_binding.self)
      }
      return object(binding.pointee.buffer, FakeBuffer.self).memory + Int(binding.pointee.offset) + max(tensor.offset, 0)
    }
    func floats(_ tensor: borrowing Tensor) -> UnsafeMutablePointer<Float> { address(tensor).assumingMemoryBound(to: Float.self) }
  }

  private struct Elementwise {
    var a: UnsafeMutablePointer<Float>, b: UnsafeMutablePointer<Float>?, y: UnsafeMutablePointer<Float>
    var bCount: Int
    var op: FakeOperator
    var factor: Float, offset: Float
  }

  func run(_ dispatch: UnsafePointer<bp_dispatch>, _ host: UnsafePointer<bp_host>) {
    let run = Run(dispatch: dispatch)
    for i in nodes.indices {
      let node = nodes[i]
      switch node.op {
      case .add, .mul, .difference, .neg, .relu, .scale:
        let hasB = [.add, .mul, .difference].contains(node.op)
        var work = Elementwise(a: run.floats(tensors[node.inputs.0]), b: hasB ? run.floats(tensors[node.inputs.1]) : nil, y: run.floats(tensors[node.outputs.0]),
                               bCount: hasB ? run.count(tensors[node.inputs.1]) : 1, op: node.op, factor: Float(node.attributes.0), offset: Float(node.attributes.1))
        // On the host's pool, as a real plugin would.
        _ = host.pointee.parallel_for(host.pointee.ctx, UInt64(run.count(tensors[node.outputs.0])), 256, { raw, begin, end, _ in
          let work = raw!.assumingMemoryBound(to: Elementwise.self).pointee
          for i in Int(begin)..<Int(end) {
            let a = work.a[i]
            switch work.op {
            case .add: work.y[i] = a + work.b![i % work.bCount]
            case .mul: work.y[i] = a * work.b![i % work.bCount]
            case .difference: work.y[i] = a - work.b![i % work.bCount]
            case .neg: work.y[i] = -a
            case .relu: work.y[i] = max(a, 0)
            default: work.y[i] = a * work.factor + work.offset
            }
          }
        }, &work, 0)
      case .rmsNorm:
        norm(run, run.floats(tensors[node.inputs.0]), node.inputs.1, run.floats(tensors[node.outputs.0]), tensors[node.inputs.0], node.attributes)
      case .addRmsNorm:
        let (x, residual, sum) = (run.floats(tensors[node.inputs.0]), run.floats(tensors[node.inputs.1]), run.floats(tensors[node.outputs.1]))
        for i in 0..<run.count(tensors[node.inputs.0]) { sum[i] = x[i] + residual[i] }
        norm(run, sum, node.inputs.2, run.floats(tensors[node.outputs.0]), tensors[node.inputs.0], node.attributes)
      case .matmul:
        let (a, b, y) = (tensors[node.inputs.0], tensors[node.inputs.1], run.floats(tensors[node.outputs.0]))
        let (rows, inner, columns) = (run.extent(a, 0), run.extent(a, 1), run.extent(b, 0))
        let (pa, pb) = (run.floats(a), run.floats(b))
        for m in 0..<rows { for n in 0..<columns {
          var sum: Float = 0
          for k in 0..<inner { sum += pa[m * inner + k] * pb[n * inner + k] }
          y[m * columns + n] = sum
        } }
      case .concat:  // of the last dimension
        let (parts, y) = ([node.inputs.0, node.inputs.1, node.inputs.2, node.inputs.3].filter { $0 >= 0 }, run.floats(tensors[node.outputs.0]))
        let columns = run.extent(tensors[node.outputs.0], 1), rows = run.extent(tensors[node.outputs.0], 0)
        var begin = 0
        for part in parts {
          let (from, width) = (run.floats(tensors[part]), run.extent(tensors[part], 1))
          for row in 0..<rows { for i in 0..<width { y[row * columns + begin + i] = from[row * width + i] } }
          begin += width
        }
      case .tensorScatter:
        let (cache, update, positions) = (tensors[node.inputs.0], tensors[node.inputs.1], tensors[node.inputs.2])
        let rows = run.extent(update, 0)
        let width = rows == 0 ? 0 : run.count(update) / rows
        let (from, to) = (run.floats(update), run.floats(cache))
        for t in 0..<rows {
          let at = positions.elementBytes == 8 ? Int(run.address(positions).assumingMemoryBound(to: Int64.self)[t])
            : Int(run.address(positions).assumingMemoryBound(to: Int32.self)[t])
          if at >= 0, at < run.extent(cache, 0) { for k in 0..<width { to[at * width + k] = from[t * width + k] } }
        }
      }
    }
  }

  private func norm(_ run: Run, _ x: UnsafeMutablePointer<Float>, _ weight: Int, _ y: UnsafeMutablePointer<Float>, _ tensor: borrowing Tensor,
                    _ attributes: (Double, Double)) {
    let width = run.extent(tensor, tensor.dims.count - 1)
    let rows = width == 0 ? 0 : run.count(tensor) / width
    for r in 0..<rows {
      var sum: Float = 0
      for i in 0..<width { sum += x[r * width + i] * x[r * width + i] }
      let factor = 1 / (sum / Float(width) + Float(attributes.0)).squareRoot()
      for i in 0..<width { y[r * width + i] = x[r * width + i] * factor * (weight < 0 ? 1 : run.floats(tensors[weight])[i] + Float(attributes.1)) }
    }
  }
}
