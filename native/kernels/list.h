// The kernels: one line each, and everything that must know all of them is made from this list: declarations
// and the table of every instruction set (set.h, table.h), the addon's properties, the test that every kernel
// was tested.
//
//   X(kernel, arguments, name in JavaScript)
#pragma once

#include "kernels/activation.h"
#include "kernels/batch_norm.h"
#include "kernels/conv2d.h"
#include "kernels/cross_entropy.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/gather.h"
#include "kernels/global_average_pool.h"
#include "kernels/group_norm.h"
#include "kernels/hat_gate.h"
#include "kernels/linear_forward.h"
#include "kernels/linear_input_gradient.h"
#include "kernels/linear_weight.h"
#include "kernels/max_pool2d.h"
#include "kernels/optimizer_step.h"
#include "kernels/reductions.h"

#define MILLINER_KERNELS(X)                                                                                  \
  X(linear_forward, LinearForward, "linearForward")                                                          \
  X(linear_input_gradient, LinearInputGradient, "linearInputGradient")                                       \
  X(linear_weight_gradient, LinearWeightGradient, "linearWeightGradient")                                    \
  X(linear_weight_update, LinearWeightUpdate, "linearWeightUpdate")                                          \
  X(linear_weight_momentum, LinearWeightMomentum, "linearWeightMomentum")                                    \
  X(linear_weight_adam, LinearWeightAdam, "linearWeightAdam")                                                \
  X(activation_backward, ActivationBackward, "activationBackward")                                           \
  X(gate_apply, GateApply, "gateApply")                                                                      \
  X(conv2d_forward, Conv2dForward, "conv2dForward")                                                          \
  X(conv2d_input_gradient, Conv2dInputGradient, "conv2dInputGradient")                                       \
  X(conv2d_weight_gradient, Conv2dWeightGradient, "conv2dWeightGradient")                                    \
  X(conv2d_weight_update, Conv2dWeightUpdate, "conv2dWeightUpdate")                                          \
  X(max_pool2d_forward, MaxPool2dForward, "maxPool2dForward")                                                \
  X(max_pool2d_backward, MaxPool2dBackward, "maxPool2dBackward")                                             \
  X(max_pool2d_activation_backward, MaxPool2dActivationBackward, "maxPool2dActivationBackward")              \
  X(batch_norm_statistics, BatchNormStatistics, "batchNormStatistics")                                       \
  X(batch_norm_forward, BatchNormForward, "batchNormForward")                                                \
  X(batch_norm_backward, BatchNormBackward, "batchNormBackward")                                             \
  X(group_norm_forward, GroupNormForward, "groupNormForward")                                                \
  X(group_norm_input_gradient, GroupNormInputGradient, "groupNormInputGradient")                             \
  X(group_norm_parameter_gradient, GroupNormParameterGradient, "groupNormParameterGradient")                 \
  X(global_average_pool_forward, GlobalAveragePoolForward, "globalAveragePoolForward")                       \
  X(global_average_pool_backward, GlobalAveragePoolBackward, "globalAveragePoolBackward")                    \
  X(gather_matrix, GatherMatrix, "gatherMatrix")                                                             \
  X(scatter_matrix, ScatterMatrix, "scatterMatrix")                                                          \
  X(gather_bits, GatherBits, "gatherBits")                                                                   \
  X(gate_forward, GateForward, "gateForward")                                                                \
  X(gate_backward, GateBackward, "gateBackward")                                                             \
  X(cross_entropy, CrossEntropy, "crossEntropy")                                                             \
  X(sgd, Sgd, "sgd")                                                                                         \
  X(momentum, Momentum, "momentum")                                                                          \
  X(adam, Adam, "adam")                                                                                      \
  X(add, Binary, "add")                                                                                      \
  X(multiply, Binary, "multiply")                                                                            \
  X(scale, Scale, "scale")                                                                                   \
  X(clamp, Clamp, "clamp")                                                                                   \
  X(exp, Unary, "exp")                                                                                       \
  X(log, Unary, "log")                                                                                       \
  X(tanh, Unary, "tanh")                                                                                     \
  X(sigmoid, Unary, "sigmoid")                                                                               \
  X(relu, Unary, "relu")                                                                                     \
  X(relu_backward, Binary, "reluBackward")                                                                   \
  X(dropout, Dropout, "dropout")                                                                             \
  X(random_bits, RandomBits, "randomBits")                                                                   \
  X(sum, Sum, "sum")                                                                                         \
  X(sum_squares, SumSquares, "sumSquares")                                                                   \
  X(column_sum, ColumnSum, "columnSum")                                                                      \
  X(all_finite, AllFinite, "allFinite")
