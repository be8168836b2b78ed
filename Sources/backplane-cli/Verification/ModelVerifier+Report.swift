extension ModelVerifier {
  func json(_ end: EndToEnd?) -> [String: Any] {
    var report: [String: Any] = [
      "model": model.configuration.name, "device": deviceNames, "prompt_tokens": ids.count, "nodes": nodeCount, "failed_nodes": failures.count,
      "operators": byOperator.sorted { $0.key < $1.key }.map {
        ["op": $0.key, "nodes": $0.value.nodes, "elements": $0.value.elements, "worst_error_over_bound": finite($0.value.worst), "failed": $0.value.failed] as [String: Any]
      },
      "failures": failures.prefix(100).map { ["node": $0.node, "op": $0.op, "tensor": $0.name, "what": $0.text] as [String: Any] },
    ]
    if let end {
      (report["standard"], report["meets_standard"]) = (standard.rawValue, standard.isMet(by: end))
      report["cosine"] = end.cosine
      report["kl_mean"] = finite(end.meanKL)
      report["kl_maximum"] = finite(end.maximumKL)
      report["top1_agreement"] = end.top1Agreement
      report["top1_disagreements_beyond_near_ties"] = end.disagreements
    }
    return report
  }

  func lines(_ end: EndToEnd?) -> [String] {
    var lines = ["\(model.configuration.name) on \(deviceNames): \(nodeCount) nodes judged, \(ids.count) prompt tokens, \(placementLine(compiled))", ""]
    lines.append(pad("operator", 20) + padLeft("nodes", 6) + padLeft("elements", 12) + padLeft("worst error / bound", 22) + padLeft("failed", 8))
    for (op, result) in byOperator.sorted(by: { $0.key < $1.key }) {
      lines.append(pad(op, 20) + padLeft("\(result.nodes)", 6) + padLeft("\(result.elements)", 12) + padLeft(Terminal.rounded(result.worst, 4), 22)
        + padLeft("\(result.failed)", 8))
    }
    lines.append("")
    for failure in failures.prefix(20) { lines.append(Terminal.paint("node \(failure.node) \(failure.op) (\(failure.name)): \(failure.text)", .red)) }
    if failures.count > 20 { lines.append("… and \(failures.count - 20) more") }
    if failures.isEmpty, nodeCount > 0 { lines.append(Terminal.paint("every node is within its bound", .green)) }
    if let end {
      lines.append("against the oracle's logits: cosine \(Terminal.rounded(end.cosine, 8)) (least over positions), KL \(end.meanKL) mean, \(end.maximumKL) largest, "
        + "top-1 agreement \(Terminal.rounded(100 * end.top1Agreement, 1)) %, \(end.disagreements) disagreements beyond near ties")
      lines.append(Terminal.paint("\(standard.isMet(by: end) ? "good enough" : "NOT good enough") for \(standard.text)", standard.isMet(by: end) ? .green : .red))
    }
    return lines
  }

  private func finite(_ value: Double) -> Double { value.isFinite ? value : 1e308 }
}
