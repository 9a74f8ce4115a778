/* SPDX-License-Identifier: MIT */
/*
 * bignum: numbers are factored, and every intermediate result is a block of its own.
 *
 * The pattern of cfrac (as the literature on allocators describes it: many millions of numbers of
 * 8 to 40 bytes, reference counted, most of them dead after one use), with another method:
 * Pollard's rho with Floyd's cycle and products of 64 differences before each gcd. Each of the
 * NUMBERS is a product of PRIMES random primes below 2^24, which rho finds again; whatever it finds
 * above 2^24 is therefore composite. A result is new memory, even when it is a sum in place.
 *
 * One op is a number made and dropped. A reference carries 16 bits of the number's serial in
 * front of the address, which a user address leaves free: a block that is given to two numbers
 * shows at the next use of the first. In the end the factors must be primes whose product is the
 * number. Each thread factors its own NUMBERS.
 */
#include "harness/bench_team.h"

#include <stdlib.h>

enum { NUMBERS, PRIMES, SEED, THREADS, ARG_COUNT };
enum { PRIME_BITS = 24, MAX_LIMBS = 16, MAX_PRIMES = 6, BATCH = 64, MAX_STEPS = 1 << 20 };

static struct bench_arg args[ARG_COUNT] = {
    [NUMBERS] = {.name = "numbers", .value = 50, .smoke = 3, .min = 1, .max = 1u << 30},
    [PRIMES] = {.name = "primes", .value = 5, .smoke = 3, .min = 2, .max = MAX_PRIMES},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [THREADS] = {.name = "threads", .value = 1, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
};

/* Never changed once made. The highest limb is not 0; zero has none. */
struct number {
    uint32_t refs;
    uint16_t serial, count;
    uint32_t limbs[];
};

typedef uint64_t ref_t; /* serial << 48 | address of a struct number */

static _Thread_local uint64_t made;

static struct number *at(ref_t ref) {
    struct number *number = (struct number *)(uintptr_t)(ref & 0xFFFFFFFFFFFFu);
    if (BENCH_UNLIKELY(number->serial != ref >> 48 || number->count > MAX_LIMBS)) {
        bench_content_wrong(number, (uint32_t)(ref >> 48), sizeof *number);
    }
    return number;
}

static void drop(ref_t ref) {
    struct number *number = at(ref);
    if (--number->refs > 0) return;
    number->serial = 0;
    free(number);
}

static ref_t keep(ref_t ref) {
    at(ref)->refs++;
    return ref;
}

static ref_t new_from(const uint32_t *limbs, unsigned count) {
    while (count > 0 && limbs[count - 1] == 0)
        count--;
    size_t size = sizeof(struct number) + count * sizeof(uint32_t);
    struct number *number = malloc(size);
    bench_check_block(number, size);
    number->refs = 1;
    number->serial = (uint16_t)(++made % 0xFFFFu + 1);
    number->count = (uint16_t)count;
    for (unsigned i = 0; i < count; i++)
        number->limbs[i] = limbs[i];
    return (ref_t)number->serial << 48 | (uintptr_t)number;
}

static ref_t new_small(uint32_t value) {
    return new_from(&value, 1);
}

static int compare(const struct number *a, const struct number *b) {
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (unsigned i = a->count; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
    }
    return 0;
}

static bool is_one(ref_t a) {
    return at(a)->count == 1 && at(a)->limbs[0] == 1;
}

static ref_t add_small(ref_t a, uint32_t small) {
    const struct number *x = at(a);
    uint32_t sum[MAX_LIMBS + 1];
    uint64_t carry = small;
    for (unsigned i = 0; i < x->count; i++, carry >>= 32)
        sum[i] = (uint32_t)(carry += x->limbs[i]);
    sum[x->count] = (uint32_t)carry;
    return new_from(sum, x->count + 1u);
}

/* |a - b| */
static ref_t distance(ref_t a, ref_t b) {
    const struct number *x = at(a), *y = at(b);
    if (compare(x, y) < 0) {
        const struct number *kept = x;
        x = y;
        y = kept;
    }
    uint32_t difference[MAX_LIMBS];
    int64_t borrow = 0;
    for (unsigned i = 0; i < x->count; i++, borrow >>= 32) {
        borrow += (int64_t)x->limbs[i] - (i < y->count ? y->limbs[i] : 0);
        difference[i] = (uint32_t)borrow;
    }
    return new_from(difference, x->count);
}

static ref_t multiply(ref_t a, ref_t b) {
    const struct number *x = at(a), *y = at(b);
    uint32_t product[2 * MAX_LIMBS] = {0};
    if (x->count + y->count > MAX_LIMBS) bench_content_wrong(x, 0, sizeof *x);
    for (unsigned i = 0; i < x->count; i++) {
        uint64_t carry = 0;
        for (unsigned k = 0; k < y->count; k++, carry >>= 32) {
            carry += (uint64_t)x->limbs[i] * y->limbs[k] + product[i + k];
            product[i + k] = (uint32_t)carry;
        }
        product[i + y->count] = (uint32_t)carry;
    }
    return new_from(product, (unsigned)(x->count + y->count));
}

/* rest -= factor * divisor; true when that went below zero, and then divisor was added back. */
static bool reduce(uint32_t *rest, const uint32_t *divisor, unsigned count, uint64_t factor) {
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (unsigned i = 0; i <= count; i++, borrow >>= 32) {
        carry += i < count ? factor * divisor[i] : 0;
        borrow += (int64_t)rest[i] - (uint32_t)carry;
        rest[i] = (uint32_t)borrow;
        carry >>= 32;
    }
    if (borrow == 0) return false;
    carry = 0;
    for (unsigned i = 0; i <= count; i++, carry >>= 32) {
        carry += (uint64_t)rest[i] + (i < count ? divisor[i] : 0);
        rest[i] = (uint32_t)carry;
    }
    return true;
}

/*
 * Division by the digits of base 2^32, Knuth's algorithm D: both are shifted until the divisor's
 * highest bit is set; then a digit guessed from two digits over one is at most two too large, and
 * the third digit rules out all but one of these. Either result may be refused by NULL.
 */
static void divide(ref_t a, ref_t b, ref_t *quotient, ref_t *remainder) {
    const struct number *x = at(a), *y = at(b);
    uint32_t rest[MAX_LIMBS + 2] = {0}, divisor[MAX_LIMBS] = {0}, digits[MAX_LIMBS + 1] = {0};
    unsigned n = y->count, m = x->count;
    if (n == 0) bench_content_wrong(y, 0, sizeof *y);
    unsigned shift = (unsigned)__builtin_clz(y->limbs[n - 1]);
    for (unsigned i = 0; i < n; i++) {
        uint64_t low = i ? y->limbs[i - 1] : 0;
        divisor[i] = (uint32_t)(((uint64_t)y->limbs[i] << 32 | low) << shift >> 32);
    }
    for (unsigned i = 0; i <= m; i++) {
        uint64_t high = i < m ? x->limbs[i] : 0, low = i ? x->limbs[i - 1] : 0;
        rest[i] = (uint32_t)((high << 32 | low) << shift >> 32);
    }
    for (unsigned k = m >= n ? m - n + 1 : 0; k-- > 0;) {
        uint64_t top = (uint64_t)rest[k + n] << 32 | rest[k + n - 1];
        uint64_t guess = top / divisor[n - 1];
        uint64_t left = top % divisor[n - 1];
        while (guess >> 32 || (n > 1 && guess * divisor[n - 2] > (left << 32 | rest[k + n - 2]))) {
            guess--;
            left += divisor[n - 1];
            if (left >> 32) break;
        }
        if (reduce(rest + k, divisor, n, guess)) guess--;
        digits[k] = (uint32_t)guess;
    }
    if (quotient) *quotient = new_from(digits, m >= n ? m - n + 1 : 0);
    if (!remainder) return;
    for (unsigned i = 0; i < n; i++)
        rest[i] = (uint32_t)(((uint64_t)rest[i + 1] << 32 | rest[i]) >> shift);
    *remainder = new_from(rest, n < m ? n : m); /* a shorter dividend is its own remainder */
}

static ref_t modulo(ref_t a, ref_t n) {
    ref_t remainder;
    divide(a, n, NULL, &remainder);
    return remainder;
}

static ref_t multiply_modulo(ref_t a, ref_t b, ref_t n) {
    ref_t product = multiply(a, b);
    ref_t remainder = modulo(product, n);
    drop(product);
    return remainder;
}

static ref_t greatest_common(ref_t a, ref_t b) {
    a = keep(a);
    b = keep(b);
    while (at(b)->count > 0) {
        ref_t rest = modulo(a, b);
        drop(a);
        a = b;
        b = rest;
    }
    drop(b);
    return a;
}

/* x * x + c modulo n, in place of x */
static void advance(ref_t *x, uint32_t c, ref_t n) {
    ref_t square = multiply_modulo(*x, *x, n);
    ref_t sum = add_small(square, c);
    drop(*x);
    *x = modulo(sum, n);
    drop(square);
    drop(sum);
}

/* A divisor of n above 1; n itself when this c finds all of them at once. */
static ref_t find_divisor(ref_t n, uint32_t c) {
    ref_t slow = new_small(2), fast = new_small(2), divisor = new_small(1);
    for (unsigned steps = 0; is_one(divisor); steps++) {
        if (steps * BATCH > MAX_STEPS) bench_content_wrong(at(n), c, sizeof(struct number));
        ref_t product = new_small(1);
        for (unsigned k = 0; k < BATCH; k++) {
            advance(&slow, c, n);
            advance(&fast, c, n);
            advance(&fast, c, n);
            ref_t gap = distance(slow, fast);
            ref_t next = multiply_modulo(product, gap, n);
            drop(gap);
            drop(product);
            product = next;
        }
        drop(divisor);
        divisor = greatest_common(product, n);
        drop(product);
    }
    drop(slow);
    drop(fast);
    return divisor;
}

static bool is_small_prime(uint32_t value) {
    if (value < 2 || value % 2 == 0) return value == 2;
    for (uint32_t d = 3; d * d <= value; d += 2) {
        if (value % d == 0) return false;
    }
    return true;
}

/* Consumes n; multiplies its primes onto *product and returns how many there are. */
static unsigned factor(ref_t n, ref_t *product) {
    if (at(n)->count == 1 && at(n)->limbs[0] >> PRIME_BITS == 0) {
        if (!is_small_prime(at(n)->limbs[0])) bench_fail("a factor is not a prime");
        ref_t next = multiply(*product, n);
        drop(*product);
        drop(n);
        *product = next;
        return 1;
    }
    ref_t divisor = find_divisor(n, 1);
    for (uint32_t c = 3; compare(at(divisor), at(n)) == 0; c += 2) {
        drop(divisor);
        divisor = find_divisor(n, c);
    }
    ref_t quotient;
    divide(n, divisor, &quotient, NULL);
    drop(n);
    return factor(divisor, product) + factor(quotient, product);
}

static ref_t product_of_primes(struct bench_rng *rng) {
    ref_t product = new_small(1);
    for (uint64_t k = 0; k < args[PRIMES].value; k++) {
        uint32_t prime = 1u << (PRIME_BITS - 2);
        prime += bench_high_below(bench_random(rng), prime) | 1;
        while (!is_small_prime(prime))
            prime += 2;
        ref_t small = new_small(prime), next = multiply(product, small);
        drop(product);
        drop(small);
        product = next;
    }
    return product;
}

static uint64_t step(struct bench_worker *self, uint64_t numbers) {
    uint64_t made_before = made;
    for (uint64_t k = 0; k < numbers; k++) {
        ref_t n = product_of_primes(&self->rng), product = new_small(1);
        unsigned found = factor(keep(n), &product);
        if (found != args[PRIMES].value || compare(at(n), at(product)) != 0) {
            bench_fail("the factors' product is not the number");
        }
        self->checksum = self->checksum * 31 + at(n)->limbs[0] + (made - made_before);
        drop(product);
        drop(n);
    }
    return made - made_before;
}

int main(int argc, char **argv) {
    bench_begin("bignum", args, ARG_COUNT, argc, argv);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[NUMBERS].value,
        .seed = args[SEED].value,
        .step = step,
    };
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
