extension PlanProblem {
  /// Refuses a problem that has no meaning. What passes cannot trap the planner or the validator.
  ///
  /// - Complexity: O(n) for n tensors, views and pairs together.
  public func check() throws(PlanError) {
    for index in tensors.indices { try checkTensor(index) }
    try checkSums()
    try checkAliases()
    for (number, pair) in inPlacePairs.enumerated() {
      try checkIndex(pair.input, "in-place pair \(number)")
      try checkIndex(pair.output, "in-place pair \(number)")
      if pair.input == pair.output {
        throw .pairedWithItself(place: "in-place pair \(number)", tensor: label(ofTensor: pair.input))
      }
    }
  }

  private func checkTensor(_ index: Int) throws(PlanError) {
    let tensor = tensors[index]
    if tensor.sizeInBytes < 0 {
      throw .negativeSize(tensor: label(ofTensor: index), sizeInBytes: tensor.sizeInBytes)
    }
    let alignment = tensor.alignmentInBytes
    if alignment <= 0 || alignment & (alignment - 1) != 0 {
      throw .alignmentNotPowerOfTwo(tensor: label(ofTensor: index), alignmentInBytes: alignment)
    }
    if tensor.firstStep < 0 {
      throw .negativeStep(tensor: label(ofTensor: index), firstStep: tensor.firstStep)
    }
    if tensor.endStep <= tensor.firstStep {
      throw .emptySteps(tensor: label(ofTensor: index), firstStep: tensor.firstStep, endStep: tensor.endStep)
    }
    if tensor.arena < 0 || tensor.arena >= arenas.count {
      throw .unknownArena(tensor: label(ofTensor: index), arena: tensor.arena, arenaCount: arenas.count)
    }
    if let pin = tensor.pinnedOffsetInBytes, pin < 0 || pin & (alignment - 1) != 0 {
      throw .badPin(tensor: label(ofTensor: index), offsetInBytes: pin, alignmentInBytes: alignment)
    }
  }

  /// The worst place for a tensor is above all others, each padded: if that sum fits in an `Int`, every offset does.
  private func checkSums() throws(PlanError) {
    var sums = [Int](repeating: 0, count: arenas.count)
    var widest = [Int](repeating: 1, count: arenas.count)
    for tensor in tensors { widest[tensor.arena] = max(widest[tensor.arena], tensor.alignmentInBytes) }
    for tensor in tensors {
      for part in [tensor.sizeInBytes, widest[tensor.arena], tensor.pinnedOffsetInBytes ?? 0] {
        let (sum, overflow) = sums[tensor.arena].addingReportingOverflow(part)
        if overflow { throw .sizesOverflow(arena: tensor.arena) }
        sums[tensor.arena] = sum
      }
    }
  }

  private func checkIndex(_ index: Int, _ place: @autoclosure () -> String) throws(PlanError) {
    if index < 0 || index >= tensors.count {
      throw .unknownTensor(place: place(), index: index, tensorCount: tensors.count)
    }
  }

  private func checkAliases() throws(PlanError) {
    var aliasOfTensor = [Int?](repeating: nil, count: aliases.isEmpty ? 0 : tensors.count)
    for (number, alias) in aliases.enumerated() {
      try checkIndex(alias.tensor, "alias \(number)")
      try checkIndex(alias.base, "alias \(number)")
      let (tensor, base) = (tensors[alias.tensor], tensors[alias.base])
      let name = label(ofTensor: alias.tensor)
      if aliasOfTensor[alias.tensor] != nil { throw .viewHasTwoBases(tensor: name) }
      if alias.tensor == alias.base { throw .viewOfItself(tensor: name) }
      if tensor.arena != base.arena { throw .viewInOtherArena(tensor: name, base: label(ofTensor: alias.base)) }
      if tensor.pinnedOffsetInBytes != nil { throw .viewIsPinned(tensor: name) }
      // Subtracting instead of adding: sizes are not negative, so this cannot overflow.
      if alias.offsetInBytes < 0 || alias.offsetInBytes > base.sizeInBytes
        || tensor.sizeInBytes > base.sizeInBytes - alias.offsetInBytes {
        throw .viewOutsideBase(
          tensor: name, base: label(ofTensor: alias.base), offsetInBytes: alias.offsetInBytes,
          sizeInBytes: tensor.sizeInBytes, baseSizeInBytes: base.sizeInBytes)
      }
      aliasOfTensor[alias.tensor] = number
    }
    try checkAliasChains(aliasOfTensor)
  }

  /// Follows every view down to its storage once; a walk that meets itself is a cycle.
  private func checkAliasChains(_ aliasOfTensor: [Int?]) throws(PlanError) {
    var offsets = [Int?](repeating: nil, count: aliasOfTensor.count)
    var isOnPath = [Bool](repeating: false, count: aliasOfTensor.count)
    for alias in aliases {
      var path: [Int] = []
      var tensor = alias.tensor
      while offsets[tensor] == nil, let number = aliasOfTensor[tensor] {
        if isOnPath[tensor] { throw .viewOfItself(tensor: label(ofTensor: tensor)) }
        isOnPath[tensor] = true
        path.append(number)
        tensor = aliases[number].base
      }
      var offset = offsets[tensor] ?? 0
      for number in path.reversed() {
        let view = aliases[number].tensor
        offset += aliases[number].offsetInBytes  // inside the storage, because each view lies in its base
        offsets[view] = offset
        if offset & (tensors[view].alignmentInBytes - 1) != 0 {
          throw .viewMisaligned(
            tensor: label(ofTensor: view), offsetInBytes: offset, alignmentInBytes: tensors[view].alignmentInBytes)
        }
      }
    }
  }
}
