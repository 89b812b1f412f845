// Reference of max_pool2d.h.
#pragma once

#include "kernels/max_pool2d.h"

namespace milliner {

// Index of the winner in one image's x.
inline Index max_pool2d_ref(const MaxPool2dGeometry& g, const float* image, Index oy, Index ox,
                            Index channel) {
  Index best = -1;
  for (Index r = 0; r < g.kernel_height; r++)
    for (Index s = 0; s < g.kernel_width; s++) {
      const Index at = ((oy * g.stride_y + r) * g.width + ox * g.stride_x + s) * g.channels + channel;
      if (best < 0 || image[at] > image[best] || image[at] != image[at])
        best = at;
    }
  return best;
}

} // namespace milliner
