"""Write the bytecode of what an image's processes import: `compile_imported.py MODULE...`.

The user of the image may not write it, and without it `import mlflow` takes seconds; the bytecode of all that is
installed would be 220 MB, more than half of it of modules that nothing ever imports. It is tied to the source's content
(never checked again), so that it holds no date.
"""

import importlib
import py_compile
import sys
import warnings

warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    importlib.import_module(name)
sources = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
for source in sorted(sources):
    if source.endswith(".py") and "site-packages" in source:
        py_compile.compile(source, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
