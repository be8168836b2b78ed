import BackplaneCore
import Foundation

/// Two partial results of attention, weighted by what their keys have of the whole softmax.
struct MergeAttention: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (a, b, n) = (call.input(0).values(), call.input(2).values(), call.input(0).rowLength)
    let (lseA, lseB) = (call.input(1).values(), call.input(3).values())
    var (y, own) = ([Double](repeating: 0, count: a.count), [Double](repeating: 0, count: a.count))
    var (lse, lseOwn) = ([Double](repeating: -.infinity, count: lseA.count), [Double](repeating: 0, count: lseA.count))
    for row in lseA.indices {
      let largest = lseA[row].isNaN || lseB[row].isNaN ? .nan : max(lseA[row], lseB[row])
      if largest == -.infinity { continue }
      let (wa, wb) = (exp(lseA[row] - largest), exp(lseB[row] - largest))
      let total = wa + wb
      lse[row] = largest + log(total)
      let distance = wa == 0 || wb == 0 ? 0 : abs(lseA[row] - lseB[row])
      // The smaller weight's error, relative; the larger one is 1 or has the same.
      let relative = expm1(3 * u * distance + 4 * u * abs(distance == 0 ? 0 : largest)) + 2 * expError
      // The sum of weights is rounded before its logarithm, unless a kernel takes log1p.
      lseOwn[row] = relative * min(wa, wb) / total + 2 * u + expError * log(total) + 4 * u * (abs(largest) + abs(lse[row])) + smallestNormal
      for i in row * n..<(row + 1) * n {
        let (ofA, ofB) = (times(wa / total, a[i]), times(wb / total, b[i]))
        y[i] = ofA + ofB
        let shared = wa * wb / total / total * relative
        own[i] = times(shared, abs(a[i]) + abs(b[i])) + 6 * u * (abs(ofA) + abs(ofB)) + times(wa, abs(a[i])) * smallestNormal
          + times(wb, abs(b[i])) * smallestNormal + 2 * eta
        if wa > 0, wb > 0, wa / total < 0x1p-120 || wb / total < 0x1p-120 { own[i] += smallestNormal * (abs(a[i]) + abs(b[i])) }
      }
    }
    let merged = call.result(y) { own[$0] }
    guard call.outputs.count > 1, call.outputs[1].isWanted else { return [merged, nil] }
    return [merged, call.result(lse, output: 1) { lseOwn[$0] }]
  }
}
