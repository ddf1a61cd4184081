import Attention

extension DecoderModel {
  /// The same model where each token sees the first `kept` tokens and `window` others, its own included. Shares all weights.
  ///
  /// Layers with a window of their own keep that, where it is the smaller one; they do not see the first tokens then.
  func windowed(_ window: Int, keepingFirst kept: Int) -> DecoderModel {
    var model = self
    for index in model.layers.indices {
      let mask = model.layers[index].attention.attend.mask
      model.layers[index].attention.attend.mask = mask & .window(left: window - 1, keepingFirst: kept)
    }
    return model
  }
}
