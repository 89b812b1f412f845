/**
 * The table of functions that the C++ addon gives to JavaScript. Plain typed arrays in, nothing out but small numbers:
 * the caller allocates. Sizes are checked again in the glue; a wrong one throws a `RangeError` whose `code` is
 * `NATIVE_ARGUMENT`, and nothing has been written then. So does an output that shares memory with another argument, but for
 * inputs that it may be itself, all of it, where its function says so. Index lists are not taken from a SharedArrayBuffer.
 *
 * Arithmetic: every float32 product is one chain of fused multiply-adds in ascending order of its contracted index,
 * starting at +0; then +0 is added once, then the bias (DESIGN: exactness 1). So the bits do not depend on thread count,
 * tiles or instruction set. Matrices are row-major and contiguous. Names of dimensions: `n` rows of the batch,
 * `k` inputs, `m` outputs. Sums over the rows of a matrix, as of a bias's gradient, run in blocks of 4096 rows: within one a
 * chain of additions, rows ascending from +0; the blocks' sums are added ascending, then +0.
 *
 * What is computed passes a NaN on, and an infinity as arithmetic does: 0 times either is NaN, also where zeros are left out
 * otherwise. Only what is selected away is not looked at: a unit behind a gate of 0, an element that dropout drops, what is
 * locked, a pixel that no window takes.
 */
export interface Addon {
  /** Version of this table. The loader refuses an addon of another version. */
  readonly abi: number;

  /** Instruction set in use, why it was chosen, and all that this machine can run, best first. */
  isa(): { readonly name: string; readonly reason: string; readonly available: readonly string[] };
  /**
   * What computes the `bf16...` products: the processor's tile registers, or C++ that emulates them (slow, for tests: the
   * environment variable `MILLINER_BF16=emulated`); null where neither is. `reason` completes "because".
   */
  bf16(): { readonly tiles: "amx" | "emulated" | null; readonly reason: string };
  /** Threads that kernels may use, the caller's included, and how many were asked for: more, where the system refused some. */
  threads(): { readonly running: number; readonly asked: number };
  /**
   * Sets the number of threads, 1 to 1024; values above the number of usable processors are allowed. Where the system
   * refuses to start one, as many are used as could be started.
   */
  setThreads(count: number): void;
  /**
   * Zeroed memory outside the JavaScript heap, 64-byte aligned (huge pages from 4 MiB up), freed with its last view. In a runtime
   * that takes none from there (Electron 21 and later) it is an ArrayBuffer of the heap, aligned as the runtime does it.
   */
  allocate(bytes: number): ArrayBuffer;
  /** Frees such memory now, or at the event loop's next turn, and not when the collector finds it: its views have length 0 then. */
  free(buffer: ArrayBuffer): void;

  // --- products -----------------------------------------------------------------------------------------------------

  /**
   * `v = x w' + bias`; `v = v <= 0 ? +0 : v` if `relu`; dropout if `random`; `h = v`; `y = gate == 0 ? +0 : v * gate`.
   * x [n, k], w [m, k], bias [m], gate [m], h and y [n, m]. Without `gate`, y is v. `h` is written when given; it needs `gate`.
   * Dropout: element (row, unit) is kept where word `unit & 3` of Philox block `(unit >> 2, row, step, stream)` is below
   * `floor(keep * 2^32)`, and is multiplied by float32(1 / keep). `random` = [seedLow, seedHigh, stream, step]; needs `relu`.
   * `numbers` [m], ascending: the number of each unit in the full layer, by which dropout counts it; 0, 1, 2, ... without.
   */
  linearForward(
    x: Float32Array,
    w: Float32Array,
    bias: Float32Array | null,
    gate: Float32Array | null,
    h: Float32Array | null,
    y: Float32Array,
    n: number,
    k: number,
    m: number,
    relu: boolean,
    keep: number,
    random: Uint32Array | null,
    numbers?: Uint32Array | null,
  ): void;
  /** `dx = dy w`, chain over outputs ascending. dy [n, m], w [m, k], dx [n, k]. */
  linearInputGradient(
    dy: Float32Array,
    w: Float32Array,
    dx: Float32Array,
    n: number,
    k: number,
    m: number,
  ): void;
  /** `dw = dy' x`, chain over rows ascending. dy [n, m], x [n, k], dw [m, k]. */
  linearWeightGradient(
    dy: Float32Array,
    x: Float32Array,
    dw: Float32Array,
    n: number,
    k: number,
    m: number,
  ): void;
  /**
   * `w = fma(-lr, g, w)` with `g = dy' x` kept in registers. A locked element is not written.
   * `post` [m] and `pre` [k]: soft conditioning, g is first multiplied by `1 - min(post[i], pre[j])` (`1 - post[i]` without
   * `pre`). `locks`: bit j & 31 of word `i * ceil(k / 32) + (j >> 5)`; rows begin at a word.
   */
  linearWeightUpdate(
    dy: Float32Array,
    x: Float32Array,
    w: Float32Array,
    lr: number,
    post: Float32Array | null,
    pre: Float32Array | null,
    locks: Uint32Array | null,
    n: number,
    k: number,
    m: number,
  ): void;
  /**
   * The same with `momentum` for the step: w and velocity [m, k] are stepped by the gradient, which is never written.
   * Without `velocity`, momentum counts as 0.
   */
  linearWeightMomentum(
    dy: Float32Array,
    x: Float32Array,
    w: Float32Array,
    velocity: Float32Array | null,
    factors: Float32Array,
    nesterov: boolean,
    post: Float32Array | null,
    pre: Float32Array | null,
    locks: Uint32Array | null,
    n: number,
    k: number,
    m: number,
  ): void;
  /** The same with `adam` for the step: w, mean and square [m, k]. */
  linearWeightAdam(
    dy: Float32Array,
    x: Float32Array,
    w: Float32Array,
    mean: Float32Array,
    square: Float32Array,
    factors: Float32Array,
    post: Float32Array | null,
    pre: Float32Array | null,
    locks: Uint32Array | null,
    n: number,
    k: number,
    m: number,
  ): void;
  /**
   * Backward of everything after the product: `u = gate == 0 ? +0 : dy * gate`; `dv = relu && h <= 0 ? +0 : u * scale`
   * with `scale = float32(1 / keep)`; `dgate[j] = sum over rows of fma(dy, h)`; `dbias[j] = sum over rows of + dv`.
   * dy, h, dv [rows, units]; gate, dgate, dbias [units]. `dgate`, `dbias` may be null. Also the gate of feature maps:
   * rows = batch x positions. dv may be dy.
   */
  activationBackward(
    dy: Float32Array,
    h: Float32Array | null,
    gate: Float32Array | null,
    dv: Float32Array,
    dgate: Float32Array | null,
    dbias: Float32Array | null,
    rows: number,
    units: number,
    relu: boolean,
    keep: number,
  ): void;
  /** `y = gate == 0 ? +0 : h * gate`; h, y [rows, units], gate [units]. */
  gateApply(h: Float32Array, gate: Float32Array, y: Float32Array, rows: number, units: number): void;

  // --- products in bf16 (not the single chain; each throws where `bf16().tiles` is null) ------------------------------

  /**
   * The products above with both factors rounded to bf16 (nearest even, subnormals to zero) and summed in float32, 32 terms
   * at a time: two chains of 16 over the even and the odd terms, added, then added to the sum. What follows a product is
   * float32, as above. The bits are the same for any thread count, and for the processor's tiles and emulated ones.
   * Bound of a product: `(2^-7 + 2^-16 + (terms / 32 + 18) 2^-23) sum |a b|`.
   */
  bf16LinearForward: Addon["linearForward"];
  bf16LinearInputGradient: Addon["linearInputGradient"];
  bf16LinearWeightGradient: Addon["linearWeightGradient"];
  bf16LinearWeightUpdate: Addon["linearWeightUpdate"];
  bf16LinearWeightMomentum: Addon["linearWeightMomentum"];
  bf16LinearWeightAdam: Addon["linearWeightAdam"];

  // --- convolution and pooling: NHWC, weights [out, kh, kw, in] -----------------------------------------------------

  /**
   * geometry = [n, height, width, in, out, kernelHeight, kernelWidth, strideY, strideX, padY, padX]. Output
   * [n, (height + 2 padY - kernelHeight) / strideY + 1, ..., out]. Chain: kernel row, kernel column, input channel;
   * padding contributes nothing, and is at most the kernel's size. What follows the chain is as in `linearForward`, with
   * pixels (image, row, column of the output) for rows: gate and numbers [out], h like y; `keep` counts with `random`.
   * With `pool` = [kernelHeight, kernelWidth, strideY, strideX] the maximum of every window comes before h and the gate, as
   * `maxPool2dForward` takes it: y and h are as large as what it writes, and argmax, if given, is the same.
   */
  conv2dForward(
    x: Float32Array,
    w: Float32Array,
    bias: Float32Array | null,
    y: Float32Array,
    geometry: Int32Array,
    relu: boolean,
    gate?: Float32Array | null,
    h?: Float32Array | null,
    keep?: number,
    random?: Uint32Array | null,
    numbers?: Uint32Array | null,
    pool?: Int32Array | null,
    argmax?: Int32Array | null,
  ): void;
  /** Chain of an element of dx: kernel row, kernel column (both ascending), output channel. */
  conv2dInputGradient(dy: Float32Array, w: Float32Array, dx: Float32Array, geometry: Int32Array): void;
  /** Chain of an element of dw: image, output row, output column. */
  conv2dWeightGradient(dy: Float32Array, x: Float32Array, dw: Float32Array, geometry: Int32Array): void;
  /**
   * `w = fma(-lr, dw, w)` with dw kept in registers. A locked element is not written. locks as in `linearWeightUpdate` with
   * out rows of kernelHeight * kernelWidth * in elements.
   */
  conv2dWeightUpdate(
    dy: Float32Array,
    x: Float32Array,
    w: Float32Array,
    lr: number,
    locks: Uint32Array | null,
    geometry: Int32Array,
  ): void;
  /**
   * geometry = [n, height, width, channels, kernelHeight, kernelWidth, strideY, strideX], no padding, floor. argmax: index
   * into one image's x (`(row * width + column) * channels + channel`), first in row-major order on ties; the last NaN, if there is one.
   */
  maxPool2dForward(x: Float32Array, y: Float32Array, argmax: Int32Array, geometry: Int32Array): void;
  /** Scatters dy to the argmax positions; dx is zeroed first; overlapping windows add in ascending output order. */
  maxPool2dBackward(dy: Float32Array, argmax: Int32Array, dx: Float32Array, geometry: Int32Array): void;
  /**
   * The backward of an activation, a pooling whose windows do not overlap, and a gate, in one: `activationBackward` with the
   * gate, `maxPool2dBackward`, and `activationBackward` with `relu` and `keep` after each other, with their bits. dy, h (the
   * value before the gate) and argmax are of the pooled image, dv of the other; gate, dgate, dbias [channels]. A position in
   * argmax that lies outside its window gets nothing.
   */
  maxPool2dActivationBackward(
    dy: Float32Array,
    argmax: Int32Array,
    h: Float32Array | null,
    gate: Float32Array | null,
    dv: Float32Array,
    dgate: Float32Array | null,
    dbias: Float32Array | null,
    geometry: Int32Array,
    relu: boolean,
    keep: number,
  ): void;

  // --- normalisation: channels last ---------------------------------------------------------------------------------

  /**
   * Mean and biased variance of every channel. x [rows, channels], mean and variance [channels], rows > 0. Order: chunks of
   * 64 rows, each with its mean and then its squared distances from it, merged ascending (batch_norm.h has the formula).
   */
  batchNormStatistics(
    x: Float32Array,
    mean: Float32Array,
    variance: Float32Array,
    rows: number,
    channels: number,
  ): void;
  /**
   * `y = (x - mean) scale + beta` with `scale = gamma / sqrt(variance + epsilon)`; `y = y <= 0 ? +0 : y` if `relu`. Training
   * takes the statistics of x, evaluation the running ones. x, y [rows, channels], the others [channels].
   */
  batchNormForward(
    x: Float32Array,
    mean: Float32Array,
    variance: Float32Array,
    gamma: Float32Array,
    beta: Float32Array,
    y: Float32Array,
    rows: number,
    channels: number,
    epsilon: number,
    relu: boolean,
  ): void;
  /**
   * Gradients of `batchNormForward`, given its arguments. `training`: mean and variance are those of x, and dx runs through
   * them; else they are constants. With `relu` dy counts where not y <= 0, which is computed anew. dx may be dy.
   */
  batchNormBackward(
    dy: Float32Array,
    x: Float32Array,
    mean: Float32Array,
    variance: Float32Array,
    gamma: Float32Array,
    beta: Float32Array,
    dx: Float32Array,
    dgamma: Float32Array,
    dbeta: Float32Array,
    rows: number,
    channels: number,
    epsilon: number,
    relu: boolean,
    training: boolean,
  ): void;
  /**
   * Group normalisation: every example by itself, channels in `groups` groups of neighbours; layer normalisation is one
   * group and one position. `y = (x - mean) gamma root + beta`, `root = 1 / sqrt(variance + epsilon)`, the variance biased.
   * x, y [n, positions, channels]; gamma, beta [channels]; mean, root [n, groups] are outputs, for the backward.
   */
  groupNormForward(
    x: Float32Array,
    gamma: Float32Array,
    beta: Float32Array,
    y: Float32Array,
    mean: Float32Array,
    root: Float32Array,
    n: number,
    positions: number,
    channels: number,
    groups: number,
    epsilon: number,
  ): void;
  /** dx of `groupNormForward`, through its statistics. dx may be dy. */
  groupNormInputGradient(
    dy: Float32Array,
    x: Float32Array,
    mean: Float32Array,
    root: Float32Array,
    gamma: Float32Array,
    dx: Float32Array,
    n: number,
    positions: number,
    channels: number,
    groups: number,
  ): void;
  /** `dgamma = sum of dy (x - mean) root`, `dbeta = sum of dy`, over examples and positions. */
  groupNormParameterGradient(
    dy: Float32Array,
    x: Float32Array,
    mean: Float32Array,
    root: Float32Array,
    dgamma: Float32Array,
    dbeta: Float32Array,
    n: number,
    positions: number,
    channels: number,
    groups: number,
  ): void;
  /** `y = sum over positions of x / positions`: chunks of 64 positions, added ascending. x [n, positions, channels]. */
  globalAveragePoolForward(
    x: Float32Array,
    y: Float32Array,
    n: number,
    positions: number,
    channels: number,
  ): void;
  /** `dx = dy / positions` at every position. dy [n, channels], dx [n, positions, channels]. */
  globalAveragePoolBackward(
    dy: Float32Array,
    dx: Float32Array,
    n: number,
    positions: number,
    channels: number,
  ): void;

  // --- HAT's gate ---------------------------------------------------------------------------------------------------

  /** rule 0 (windowed): `a = s e < -50 ? +0 : sigmoid(s e)`; rule 1 (official): `a = sigmoid(s e)`. e, a [units]; a may be e. */
  gateForward(e: Float32Array, a: Float32Array, s: number, rule: number): void;
  /**
   * Compensated gradient of the embeddings. rule 0 windowed: `q = da sMax u / ((1 + u)(1 + u))`, u = exp(-|e|), where
   * -50 < s e < 24 ln 2, else +0; 1 straight: the same everywhere; 2 official: the published float32 arithmetic, from left
   * to right; 3 off: `q = da s a (1 - a)`. Source: hat.md (B'), (F), 3.5. da, e, q [units]; q may be da or e.
   */
  gateBackward(
    da: Float32Array,
    e: Float32Array,
    q: Float32Array,
    s: number,
    sMax: number,
    rule: number,
  ): void;

  // --- parts of matrices --------------------------------------------------------------------------------------------

  /**
   * `to[i][j] = from[rows[i]][columns[j]]`. from [wholeRows, wholeColumns], to [rows.length, columns.length]. Both lists
   * ascend; an index outside the matrix, or out of order, is refused.
   */
  gatherMatrix(
    from: Float32Array,
    to: Float32Array,
    rows: Uint32Array,
    columns: Uint32Array,
    wholeRows: number,
    wholeColumns: number,
  ): void;
  /**
   * `to[rows[i]][columns[j]] = from[i][j]`, the inverse; nothing else of `to` is written, nor what is locked. `locks` are
   * bits of the gathered matrix, as in `linearWeightUpdate`.
   */
  scatterMatrix(
    from: Float32Array,
    locks: Uint32Array | null,
    to: Float32Array,
    rows: Uint32Array,
    columns: Uint32Array,
    wholeRows: number,
    wholeColumns: number,
  ): void;
  /** `gatherMatrix` of bits that lie as locks do: rows begin at a word, and bits behind the last column are 0. */
  gatherBits(
    from: Uint32Array,
    to: Uint32Array,
    rows: Uint32Array,
    columns: Uint32Array,
    wholeRows: number,
    wholeColumns: number,
  ): void;

  // --- loss, optimizer ----------------------------------------------------------------------------------------------

  /**
   * Softmax cross-entropy by rows: `losses[i] = log(sum_j exp(x_j - max)) - (x_label - max)`, sums ascending in j;
   * `dlogits = (softmax - onehot) / n` when given; it may be logits. A label outside 0..classes-1 throws.
   */
  crossEntropy(
    logits: Float32Array,
    labels: Int32Array,
    losses: Float32Array,
    dlogits: Float32Array | null,
    n: number,
    classes: number,
  ): void;
  /** `w = fma(-lr, g, w)`, locked elements not written. locks as in `linearWeightUpdate` with rows x columns. */
  sgd(
    w: Float32Array,
    g: Float32Array,
    lr: number,
    locks: Uint32Array | null,
    rows: number,
    columns: number,
  ): void;
  /**
   * SGD with momentum and weight decay, in this order: `g = fma(decay, w, g)` unless decay is 0;
   * `velocity = fma(momentum, velocity, g)`; `d = nesterov ? fma(momentum, velocity, g) : velocity`; `w = fma(-lr, d, w)`.
   * Without `velocity`, d is g. `factors` = [lr, momentum, decay]. Of a locked element neither w nor velocity is written.
   */
  momentum(
    w: Float32Array,
    g: Float32Array,
    velocity: Float32Array | null,
    factors: Float32Array,
    nesterov: boolean,
    locks: Uint32Array | null,
    rows: number,
    columns: number,
  ): void;
  /**
   * Adam and AdamW, in this order: `g = fma(decay, w, g)` unless decay is 0; `mean = fma(meanShare, g - mean, mean)`;
   * `square = fma(squareShare * g, g, squareKeep * square)`;
   * `w = fma(-step, mean / fma(sqrt(square), correction, epsilon), shrink * w)`.
   * `factors` = [step, shrink, decay, meanShare, squareKeep, squareShare, correction, epsilon]. Of a locked element neither
   * w nor mean nor square is written.
   */
  adam(
    w: Float32Array,
    g: Float32Array,
    mean: Float32Array,
    square: Float32Array,
    factors: Float32Array,
    locks: Uint32Array | null,
    rows: number,
    columns: number,
  ): void;

  // --- elementwise (out may be an input) and reductions ---------------------------------------------------------------

  add(a: Float32Array, b: Float32Array, out: Float32Array): void;
  multiply(a: Float32Array, b: Float32Array, out: Float32Array): void;
  scale(a: Float32Array, factor: number, out: Float32Array): void;
  clamp(a: Float32Array, low: number, high: number, out: Float32Array): void;
  exp(a: Float32Array, out: Float32Array): void;
  log(a: Float32Array, out: Float32Array): void;
  tanh(a: Float32Array, out: Float32Array): void;
  sigmoid(a: Float32Array, out: Float32Array): void;
  /** `y = x <= 0 ? +0 : x`. */
  relu(x: Float32Array, y: Float32Array): void;
  /** `dx = y <= 0 ? +0 : dy`. */
  reluBackward(dy: Float32Array, y: Float32Array, dx: Float32Array): void;
  /** Dropout of x [rows, units] as in `linearForward`, `numbers` [units] too; its own backward with dy for x. y may be x. */
  dropout(
    x: Float32Array,
    y: Float32Array,
    rows: number,
    units: number,
    keep: number,
    random: Uint32Array,
    numbers?: Uint32Array | null,
  ): void;
  /** Raw Philox words: out[row * units + unit] = word `unit & 3` of block `(unit >> 2, row, step, stream)`. */
  randomBits(out: Uint32Array, rows: number, units: number, random: Uint32Array): void;
  /** Total in the fixed order of kernels.md 3.5: chunks of 4096, 16 virtual lanes, halves, chunks ascending. */
  sum(x: Float32Array): number;
  /** Sum of squares in double, same order; of several arrays, at most 14, the sums of each, added in turn. */
  sumSquares(...x: Float32Array[]): number;
  /** out[j] = sum over rows of + x[row, j]. */
  columnSum(x: Float32Array, out: Float32Array, rows: number, units: number): void;
  /** Whether no element is NaN or infinite. */
  allFinite(x: Float32Array): boolean;
}

/** Version of the table above; raised with every change of a signature. */
export const addonAbi = 6;
