"""BayeScale: Bayesian scaling laws that predict benchmark scores with credible intervals.

Every public name, listed in `__init__.pyi`, is loaded when it is first used, so that `import
bayescale` is fast and neither starts JAX nor sets any of its flags.
"""

import lazy_loader

from bayescale.base.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
