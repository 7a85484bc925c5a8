#include "sagas/expression/operators.h"

#include <math.h>
#include <string.h>

static bool needs_numbers(struct evaluation *evaluation, const char *operator,
                          const struct value * left, const struct value *right)
{
    return evaluation_fail(evaluation, "`%s` needs two numbers, not %s and %s", operator,
                           value_kind_name(left), value_kind_name(right));
}

static bool overflow(struct evaluation *evaluation, const char *operator)
{
    return evaluation_fail(evaluation, "`%s` overflows 64 bits: use doubles", operator);
}

static bool zero_division(struct evaluation *evaluation, const char *operator)
{
    return evaluation_fail(evaluation, "division by zero in `%s`", operator);
}

static bool finite_result(struct evaluation *evaluation, const char *operator, double number,
                          struct value *ret_value)
{
    if (!isfinite(number)) {
        return evaluation_fail(evaluation, "`%s` leaves the range of doubles", operator);
    }
    *ret_value = value_double_of(number);
    return true;
}

static bool two_doubles(struct evaluation *evaluation, const struct value *left,
                        const struct value *right, double *ret_left, double *ret_right)
{
    return evaluation_double(evaluation, left, ret_left) &&
           evaluation_double(evaluation, right, ret_right);
}

/* ---- arithmetic ---- */

struct arithmetic {
    const char *operator;
    bool (*of_ints)(int64_t left, int64_t right, int64_t *ret_result); /* false: overflow */
    double (*of_doubles)(double left, double right);
    bool divides; /* zero on the right is an error */
};

static bool add_ints(int64_t left, int64_t right, int64_t *ret_result)
{
    return !__builtin_add_overflow(left, right, ret_result);
}

static bool subtract_ints(int64_t left, int64_t right, int64_t *ret_result)
{
    return !__builtin_sub_overflow(left, right, ret_result);
}

static bool multiply_ints(int64_t left, int64_t right, int64_t *ret_result)
{
    return !__builtin_mul_overflow(left, right, ret_result);
}

static bool divide_ints(int64_t left, int64_t right, int64_t *ret_result)
{
    if (right == -1) return !__builtin_sub_overflow(0, left, ret_result);
    *ret_result = left / right;
    return true;
}

static bool modulo_ints(int64_t left, int64_t right, int64_t *ret_result)
{
    *ret_result = right == -1 ? 0 : left % right;
    return true;
}

static double add_doubles(double left, double right)
{
    return left + right;
}

static double subtract_doubles(double left, double right)
{
    return left - right;
}

static double multiply_doubles(double left, double right)
{
    return left * right;
}

static double divide_doubles(double left, double right)
{
    return left / right;
}

static const struct arithmetic ADD = {"+", add_ints, add_doubles, false};
static const struct arithmetic SUBTRACT = {"-", subtract_ints, subtract_doubles, false};
static const struct arithmetic MULTIPLY = {"*", multiply_ints, multiply_doubles, false};
static const struct arithmetic DIVIDE = {"/", divide_ints, divide_doubles, true};
static const struct arithmetic MODULO = {"%", modulo_ints, fmod, true};

static bool compute(struct evaluation *evaluation, const struct arithmetic *arithmetic,
                    const struct value *left, const struct value *right, struct value *ret_value)
{
    if (!value_is_number(left) || !value_is_number(right)) {
        return needs_numbers(evaluation, arithmetic->operator, left, right);
    }
    if (left->kind == VALUE_INT && right->kind == VALUE_INT) {
        int64_t result = 0;
        if (arithmetic->divides && right->integer == 0) {
            return zero_division(evaluation, arithmetic->operator);
        }
        if (!arithmetic->of_ints(left->integer, right->integer, &result)) {
            return overflow(evaluation, arithmetic->operator);
        }
        *ret_value = value_int(result);
        return true;
    }
    double a = 0;
    double b = 0;
    if (!two_doubles(evaluation, left, right, &a, &b)) return false;
    if (!isfinite(a) || !isfinite(b)) {
        return evaluation_fail(evaluation, "a number at `%s` is beyond the range of doubles",
                               arithmetic->operator);
    }
    if (arithmetic->divides && b == 0) return zero_division(evaluation, arithmetic->operator);
    return finite_result(evaluation, arithmetic->operator, arithmetic->of_doubles(a, b), ret_value);
}

static bool join_strings(struct evaluation *evaluation, struct bytes left, struct bytes right,
                         struct value *ret_value)
{
    char *const data = evaluation_alloc(evaluation, left.size + right.size + 1);
    if (data == NULL || !evaluation_spend_bytes(evaluation, left.size + right.size)) return false;
    memcpy(data, left.data, left.size);
    memcpy(data + left.size, right.data, right.size);
    *ret_value = value_string((struct bytes){data, left.size + right.size});
    return true;
}

static bool join_lists(struct evaluation *evaluation, const struct value *left,
                       const struct value *right, struct value *ret_value)
{
    struct items first;
    struct items second;
    if (!items_open(evaluation, left, &first) || !items_open(evaluation, right, &second)) {
        return false;
    }
    const size_t count = first.left + second.left;
    if (!evaluation_spend(evaluation, count)) return false;
    struct value *const items = evaluation_alloc(evaluation, count * sizeof(*items));
    if (items == NULL) return false;
    size_t at = 0;
    while (items_next(&first, &items[at]) || items_next(&second, &items[at])) {
        at++;
    }
    *ret_value = (struct value){
        .kind = VALUE_LIST, .list = {items, count}
    };
    return true;
}

bool apply_add(struct evaluation *evaluation, const struct value *left, const struct value *right,
               struct value *ret_value)
{
    if (left->kind == VALUE_STRING && right->kind == VALUE_STRING) {
        return join_strings(evaluation, left->string, right->string, ret_value);
    }
    if (left->kind == VALUE_LIST && right->kind == VALUE_LIST) {
        return join_lists(evaluation, left, right, ret_value);
    }
    if (!value_is_number(left) || !value_is_number(right)) {
        return evaluation_fail(evaluation,
                               "`+` needs two numbers, two strings or two lists, not %s and %s",
                               value_kind_name(left), value_kind_name(right));
    }
    return compute(evaluation, &ADD, left, right, ret_value);
}

bool apply_subtract(struct evaluation *evaluation, const struct value *left,
                    const struct value *right, struct value *ret_value)
{
    return compute(evaluation, &SUBTRACT, left, right, ret_value);
}

bool apply_multiply(struct evaluation *evaluation, const struct value *left,
                    const struct value *right, struct value *ret_value)
{
    return compute(evaluation, &MULTIPLY, left, right, ret_value);
}

bool apply_divide(struct evaluation *evaluation, const struct value *left,
                  const struct value *right, struct value *ret_value)
{
    return compute(evaluation, &DIVIDE, left, right, ret_value);
}

bool apply_modulo(struct evaluation *evaluation, const struct value *left,
                  const struct value *right, struct value *ret_value)
{
    return compute(evaluation, &MODULO, left, right, ret_value);
}

bool value_negate(struct evaluation *evaluation, const struct value *value, struct value *ret_value)
{
    if (!value_is_number(value)) {
        return evaluation_fail(evaluation, "`-` needs a number, not %s", value_kind_name(value));
    }
    if (value->kind == VALUE_DOUBLE) {
        double number = 0;
        return evaluation_double(evaluation, value, &number) &&
               finite_result(evaluation, "-", -number, ret_value);
    }
    const struct value zero = value_int(0);
    return compute(evaluation, &SUBTRACT, &zero, value, ret_value);
}

/* ---- order ---- */

/* *ret_order is below, equal to or above 0; *ret_known is false where null takes part. */
static bool compare(struct evaluation *evaluation, const char *operator,
                    const struct value * const pair[2], int *ret_order, bool *ret_known)
{
    const struct value *const left = pair[0];
    const struct value *const right = pair[1];
    *ret_known = left->kind != VALUE_NULL && right->kind != VALUE_NULL;
    *ret_order = 0;
    if (!*ret_known) return true;

    if (left->kind == VALUE_STRING && right->kind == VALUE_STRING) {
        *ret_order = bytes_compare(left->string, right->string);
        return evaluation_spend_bytes(evaluation, left->string.size);
    }
    if (!value_is_number(left) || !value_is_number(right)) {
        return evaluation_fail(evaluation,
                               "`%s` needs two numbers or two strings, not %s and %s", operator,
                               value_kind_name(left), value_kind_name(right));
    }
    if (left->kind == VALUE_INT && right->kind == VALUE_INT) {
        *ret_order = (left->integer > right->integer) - (left->integer < right->integer);
        return true;
    }
    double a = 0;
    double b = 0;
    if (!two_doubles(evaluation, left, right, &a, &b)) return false;
    *ret_order = (a > b) - (a < b);
    return true;
}

bool apply_less(struct evaluation *evaluation, const struct value *left, const struct value *right,
                struct value *ret_value)
{
    int order = 0;
    bool known = false;
    if (!compare(evaluation, "<", (const struct value *[]){left, right}, &order, &known)) {
        return false;
    }
    *ret_value = value_boolean(known && order < 0);
    return true;
}

bool apply_less_equal(struct evaluation *evaluation, const struct value *left,
                      const struct value *right, struct value *ret_value)
{
    int order = 0;
    bool known = false;
    if (!compare(evaluation, "<=", (const struct value *[]){left, right}, &order, &known)) {
        return false;
    }
    *ret_value = value_boolean(known && order <= 0);
    return true;
}

bool apply_greater(struct evaluation *evaluation, const struct value *left,
                   const struct value *right, struct value *ret_value)
{
    int order = 0;
    bool known = false;
    if (!compare(evaluation, ">", (const struct value *[]){left, right}, &order, &known)) {
        return false;
    }
    *ret_value = value_boolean(known && order > 0);
    return true;
}

bool apply_greater_equal(struct evaluation *evaluation, const struct value *left,
                         const struct value *right, struct value *ret_value)
{
    int order = 0;
    bool known = false;
    if (!compare(evaluation, ">=", (const struct value *[]){left, right}, &order, &known)) {
        return false;
    }
    *ret_value = value_boolean(known && order >= 0);
    return true;
}

/* ---- equality ---- */

static bool equal_numbers(struct evaluation *evaluation, const struct value *a,
                          const struct value *b, bool *ret_equal)
{
    if (a->kind == VALUE_INT && b->kind == VALUE_INT) {
        *ret_equal = a->integer == b->integer;
        return true;
    }
    double left = 0;
    double right = 0;
    if (!two_doubles(evaluation, a, b, &left, &right)) return false;
    /* Beyond the range of doubles all numbers look alike: only the same text is equal. */
    *ret_equal = isinf(left) && isinf(right) ? bytes_equal(a->text, b->text) : left == right;
    return true;
}

static bool equal_lists(struct evaluation *evaluation, const struct value *a, const struct value *b,
                        bool *ret_equal);
static bool equal_objects(struct evaluation *evaluation, const struct value *a,
                          const struct value *b, bool *ret_equal);

/* NOLINTNEXTLINE(misc-no-recursion): bounded by the depth of JSON and of the expression */
bool value_equal(struct evaluation *evaluation, const struct value *a, const struct value *b,
                 bool *ret_equal)
{
    *ret_equal = false;
    if (!evaluation_spend(evaluation, 1)) return false;
    if (value_is_number(a) && value_is_number(b)) {
        return equal_numbers(evaluation, a, b, ret_equal);
    }
    if (a->kind != b->kind) return true;
    if (a->kind == VALUE_STRING) {
        *ret_equal = bytes_equal(a->string, b->string);
        return evaluation_spend_bytes(evaluation, a->string.size);
    }
    if (a->kind == VALUE_LIST || a->kind == VALUE_OBJECT) {
        *ret_equal = a->text.data != NULL && bytes_equal(a->text, b->text);
        if (!evaluation_spend_bytes(evaluation, a->text.size)) return false;
        if (*ret_equal) return true;
        return a->kind == VALUE_LIST ? equal_lists(evaluation, a, b, ret_equal)
                                     : equal_objects(evaluation, a, b, ret_equal);
    }
    *ret_equal = a->kind == VALUE_NULL || a->boolean == b->boolean;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): see value_equal */
static bool equal_lists(struct evaluation *evaluation, const struct value *a, const struct value *b,
                        bool *ret_equal)
{
    struct items left;
    struct items right;
    if (!items_open(evaluation, a, &left) || !items_open(evaluation, b, &right)) return false;
    *ret_equal = left.left == right.left;
    struct value of_left;
    struct value of_right;
    while (*ret_equal && items_next(&left, &of_left) && items_next(&right, &of_right)) {
        if (!value_equal(evaluation, &of_left, &of_right, ret_equal)) return false;
    }
    return true;
}

/* Look for a member where it stands in the other object, before looking everywhere. */
static bool find_member(struct evaluation *evaluation, const struct json_view *object,
                        const struct json_view *hint, struct bytes name,
                        const struct json_view **ret_member)
{
    *ret_member = hint;
    if (hint != NULL && bytes_equal(hint->key, name)) return true;
    *ret_member = json_view_member_bytes(object, name);
    return evaluation_spend(evaluation, object->count);
}

/* NOLINTNEXTLINE(misc-no-recursion): see value_equal */
static bool equal_objects(struct evaluation *evaluation, const struct value *a,
                          const struct value *b, bool *ret_equal)
{
    const struct json_view *left = NULL;
    const struct json_view *right = NULL;
    if (!evaluation_view(evaluation, a, &left) || !evaluation_view(evaluation, b, &right)) {
        return false;
    }
    *ret_equal = left->count == right->count;
    const struct json_view *hint = right->child;
    for (const struct json_view *member = left->child; *ret_equal && member != NULL;
         member = member->next) {
        const struct json_view *other = NULL;
        if (!find_member(evaluation, right, hint, member->key, &other)) return false;
        *ret_equal = other != NULL;
        if (other == NULL) return true;
        const struct value of_left = value_of_view(member);
        const struct value of_right = value_of_view(other);
        if (!value_equal(evaluation, &of_left, &of_right, ret_equal)) return false;
        hint = other->next;
    }
    return true;
}

bool apply_equal(struct evaluation *evaluation, const struct value *left, const struct value *right,
                 struct value *ret_value)
{
    bool equal = false;
    if (!value_equal(evaluation, left, right, &equal)) return false;
    *ret_value = value_boolean(equal);
    return true;
}

bool apply_unequal(struct evaluation *evaluation, const struct value *left,
                   const struct value *right, struct value *ret_value)
{
    bool equal = false;
    if (!value_equal(evaluation, left, right, &equal)) return false;
    *ret_value = value_boolean(!equal);
    return true;
}

/* ---- membership ---- */

static bool is_item(struct evaluation *evaluation, const struct value *value,
                    const struct value *list, bool *ret_found)
{
    struct items items;
    if (!items_open(evaluation, list, &items)) return false;
    struct value item;
    while (!*ret_found && items_next(&items, &item)) {
        if (!value_equal(evaluation, value, &item, ret_found)) return false;
    }
    return true;
}

static bool is_member_name(struct evaluation *evaluation, const struct value *name,
                           const struct value *object, bool *ret_found)
{
    if (name->kind != VALUE_STRING) {
        return evaluation_fail(evaluation, "`in` looks for a member's name, not for %s",
                               value_kind_name(name));
    }
    const struct json_view *view = NULL;
    if (!evaluation_view(evaluation, object, &view)) return false;
    *ret_found = json_view_member_bytes(view, name->string) != NULL;
    return evaluation_spend(evaluation, view->count);
}

bool apply_in(struct evaluation *evaluation, const struct value *left, const struct value *right,
              struct value *ret_value)
{
    bool found = false;
    if (right->kind == VALUE_LIST) {
        if (!is_item(evaluation, left, right, &found)) return false;
    } else if (right->kind == VALUE_OBJECT) {
        if (!is_member_name(evaluation, left, right, &found)) return false;
    } else if (right->kind != VALUE_NULL) {
        return evaluation_fail(evaluation, "`in` needs a list or an object on its right, not %s",
                               value_kind_name(right));
    }
    *ret_value = value_boolean(found);
    return true;
}
