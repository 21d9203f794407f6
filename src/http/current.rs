//! A router that can be replaced while it serves. A request is answered by the one in force when it came, to its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use axum::Router;
use axum::extract::Request;
use tower::ServiceExt as _;
use tower::service_fn;

/// Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct CurrentRouter(Arc<RwLock<Router>>);

impl CurrentRouter {
    pub fn new(router: Router) -> Self {
        Self(Arc::new(RwLock::new(router)))
    }

    pub fn replace(&self, router: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = router;
    }

    /// What is served: hands each request to the router of that moment.
    pub fn served(&self) -> Router {
        let current = self.clone();
        Router::new().fallback_service(service_fn(move |request: Request| {
            let router = current.0.read().unwrap_or_else(PoisonError::into_inner).clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        }))
    }
}
