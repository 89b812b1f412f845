// Reference of conv2d.h: the sums as loops over all terms, in the order of the chains. Number is double for
// the error bound; the test of the bits uses float with std::fma.
#pragma once

#include "kernels/conv2d.h"

namespace milliner {

// Calls term(x, w) for every term of an output that lies inside the image.
template <class Term>
void for_conv2d_terms(const Conv2dGeometry& g, const float* x, const float* w, Index image, Index oy,
                      Index ox, Index o, const Term& term) {
  for (Index r = 0; r < g.kernel_height; r++)
    for (Index s = 0; s < g.kernel_width; s++)
      for (Index c = 0; c < g.in; c++) {
        const Index iy = oy * g.stride_y + r - g.pad_y, ix = ox * g.stride_x + s - g.pad_x;
        if (iy >= 0 && iy < g.height && ix >= 0 && ix < g.width)
          term(x[((image * g.height + iy) * g.width + ix) * g.in + c],
               w[((o * g.kernel_height + r) * g.kernel_width + s) * g.in + c]);
      }
}

// Calls term(dy, w) for every term of an element of dx: a kernel position has one pixel of dy for it at most.
template <class Term>
void for_conv2d_input_terms(const Conv2dGeometry& g, const float* dy, const float* w, Index image, Index iy,
                            Index ix, Index c, const Term& term) {
  for (Index r = 0; r < g.kernel_height; r++)
    for (Index s = 0; s < g.kernel_width; s++)
      for (Index oy = 0; oy < g.out_height(); oy++)
        for (Index ox = 0; ox < g.out_width(); ox++)
          if (oy * g.stride_y + r - g.pad_y == iy && ox * g.stride_x + s - g.pad_x == ix)
            for (Index o = 0; o < g.out; o++)
              term(dy[((image * g.out_height() + oy) * g.out_width() + ox) * g.out + o],
                   w[((o * g.kernel_height + r) * g.kernel_width + s) * g.in + c]);
}

// Calls term(dy, x) for every term of an element of dw.
template <class Term>
void for_conv2d_weight_terms(const Conv2dGeometry& g, const float* dy, const float* x, Index o, Index r,
                             Index s, Index c, const Term& term) {
  for (Index image = 0; image < g.n; image++)
    for (Index oy = 0; oy < g.out_height(); oy++)
      for (Index ox = 0; ox < g.out_width(); ox++) {
        const Index iy = oy * g.stride_y + r - g.pad_y, ix = ox * g.stride_x + s - g.pad_x;
        if (iy >= 0 && iy < g.height && ix >= 0 && ix < g.width)
          term(dy[((image * g.out_height() + oy) * g.out_width() + ox) * g.out + o],
               x[((image * g.height + iy) * g.width + ix) * g.in + c]);
      }
}

} // namespace milliner
