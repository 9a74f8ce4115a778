# SPDX-License-Identifier: MIT
"""schema.json accepts what is written, and refuses planted violations."""

import copy
import unittest

import jsonschema
import support

VALID = support.made_up_session(blocks=1)
SESSION, RUN = VALID[0], VALID[1]


class Schema(unittest.TestCase):
    def setUp(self):
        self.validator = jsonschema.Draft202012Validator(support.schema())

    def refuses(self, record, change):
        broken = copy.deepcopy(record)
        change(broken)
        self.assertFalse(self.validator.is_valid(broken), broken)

    def test_is_itself_valid(self):
        jsonschema.Draft202012Validator.check_schema(support.schema())

    def test_accepts_a_session(self):
        for record in VALID:
            self.validator.validate(record)

    def test_refuses_a_path_where_a_file_name_belongs(self):
        self.refuses(SESSION, lambda r: r["arms"][0].update(file="/usr/lib/libc.so.6"))

    def test_refuses_a_failed_run_without_a_reason(self):
        self.refuses(RUN, lambda r: r.update(valid=False))

    def test_refuses_a_valid_run_without_memory(self):
        self.refuses(RUN, lambda r: r["metric"].pop("hwm_kib"))

    def test_refuses_a_run_that_does_not_say_whether_it_was_noisy(self):
        self.refuses(RUN, lambda r: r["noise"].pop("noisy"))

    def test_refuses_an_unknown_record_and_an_unknown_version(self):
        self.refuses(RUN, lambda r: r.update(rec="guess"))
        self.refuses(RUN, lambda r: r.update(v=2))


if __name__ == "__main__":
    unittest.main()
