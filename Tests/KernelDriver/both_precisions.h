// Includes SUBJECT twice, once for each precision, with
//   REAL, SCALAR   f32 and float, f64 and double
//   SCALAR_(name)  a function of <math.h> for the scalars, WIDE_(name) for the wide type
//   WIDE           a type with at least eleven bits more, in which what was expected is computed
//   V(name)        a word of the vocabulary: f32_name or f64_name
//   STRING(x)      x, its macros expanded, as a string
//   P(name)        name_f32 or name_f64: a function of the driver
//   ROWS(name)     f32.name or f64.name: a row kernel in the table
// A subject's file includes this header, and the header the file's own second half (where REAL is defined).
// No include guard: every subject includes it.

#define V_(real, name) real##_##name
#define V__(real, name) V_(real, name)
#define V(name) V__(REAL, name)
#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define P_(name, real) name##_##real
#define P__(name, real) P_(name, real)
#define P(name) P__(name, REAL)
#define ROWS_(real, name) real.name
#define ROWS__(real, name) ROWS_(real, name)
#define ROWS(name) ROWS__(REAL, name)

#define REAL f32
#define SCALAR float
#define WIDE double
#define SCALAR_(function) function##f
#define WIDE_(function) function
#include SUBJECT
#undef REAL
#undef SCALAR
#undef WIDE
#undef SCALAR_
#undef WIDE_

#define REAL f64
#define SCALAR double
#define WIDE long double
#define SCALAR_(function) function
#define WIDE_(function) function##l
#include SUBJECT
#undef REAL
#undef SCALAR
#undef WIDE
#undef SCALAR_
#undef WIDE_
