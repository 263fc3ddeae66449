//! Orders and what came back of them.

use backstitch_proto::common::{Item, PricedItem};
use backstitch_proto::contract::Refusal;
use backstitch_proto::order;
use tonic::{Request, Response};

use super::{Answer, Participants, done, money, not_found, refused};

#[tonic::async_trait]
impl order::orders_server::Orders for Participants {
    async fn create(
        &self,
        request: Request<order::CreateOrderRequest>,
    ) -> Answer<order::CreateOrderResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        let order_number = format!("BS-{:06}", state.orders.len() + 1);
        let order = order::Order {
            order_id: request.order_id.clone(),
            order_number: order_number.clone(),
            checkout_id: request.checkout_id,
            customer_id: request.customer_id,
            email: request.email,
            status: "pending".into(),
            items: request.items,
            shipping_address: request.shipping_address,
            shipping_method: request.shipping_method,
            shipping_price: request.shipping_price,
            total: request.total,
            payment_id: request.payment_id,
            history: vec![order::StatusChange { at_unix_ms: 1, status: "pending".into() }],
            returns: Vec::new(),
        };
        state.orders.insert(request.order_id.clone(), order);
        Ok(Response::new(order::CreateOrderResponse { order_id: request.order_id, order_number }))
    }

    async fn cancel(
        &self,
        request: Request<order::CancelOrderRequest>,
    ) -> Answer<order::CancelOrderResponse> {
        if let Some(order) = self.state().orders.get_mut(&request.into_inner().order_id) {
            order.status = "cancelled".into();
        }
        done()
    }

    async fn confirm(
        &self,
        request: Request<order::ConfirmOrderRequest>,
    ) -> Answer<order::ConfirmOrderResponse> {
        let mut state = self.state();
        let order = state.orders.get_mut(&request.into_inner().order_id).ok_or_else(|| not_found("order"))?;
        order.status = "confirmed".into();
        Ok(Response::new(order::ConfirmOrderResponse { order_number: order.order_number.clone() }))
    }

    async fn get(&self, request: Request<order::GetOrderRequest>) -> Answer<order::Order> {
        let found = self.state().orders.get(&request.into_inner().order_id).cloned();
        found.map(Response::new).ok_or_else(|| not_found("order"))
    }

    async fn list(&self, _: Request<order::ListOrdersRequest>) -> Answer<order::ListOrdersResponse> {
        done()
    }

    async fn create_return(
        &self,
        request: Request<order::CreateReturnRequest>,
    ) -> Answer<order::CreateReturnResponse> {
        self.enter("create_return").await;
        self.sane(request.metadata(), "order", "create_return")?;
        let (meta, _, message) = request.into_parts();
        let mut state = self.state();
        let order = state.orders.get_mut(&message.order_id).ok_or_else(|| not_found("order"))?;
        if order.status != "confirmed" && !message.make_good {
            return Err(refused(&meta, "order", Refusal::new("ORDER_NOT_CONFIRMED", "it does not stand")));
        }
        let claimed = |sku: &str| {
            let live = order.returns.iter().filter(|back| back.status != "cancelled");
            let lines = live.flat_map(|back| &back.items).filter(|item| item.sku == sku);
            lines.map(|item| item.quantity).sum::<i64>()
        };
        let mut items = Vec::new();
        for line in &order.items {
            let asked = message.items.iter().find(|item| item.sku == line.sku).map(|item| item.quantity);
            let left = line.quantity - claimed(&line.sku);
            let quantity = if message.items.is_empty() { left } else { asked.unwrap_or(0) };
            if quantity > left {
                let refusal = Refusal::new("MORE_THAN_BOUGHT", "more than is left").with("left", left);
                return Err(refused(&meta, "order", refusal));
            }
            if quantity > 0 {
                items.push(PricedItem { quantity, ..line.clone() });
            }
        }
        let worth = items.iter().map(|item| item.quantity * item.unit_price.as_ref().unwrap().amount_minor);
        let refund = money(worth.sum());
        let plain = |item: &PricedItem| Item { sku: item.sku.clone(), quantity: item.quantity };
        order.returns.push(order::OrderReturn {
            return_id: message.return_id.clone(),
            status: "claimed".into(),
            items: items.iter().map(plain).collect(),
            refund: refund.clone(),
            reason: message.reason,
            ..Default::default()
        });
        Ok(Response::new(order::CreateReturnResponse {
            return_id: message.return_id,
            order_number: order.order_number.clone(),
            payment_id: order.payment_id.clone(),
            items,
            refund,
            whole: false,
            email: order.email.clone(),
            name: "Ada".into(),
            ordered: order.items.iter().map(plain).collect(),
        }))
    }

    async fn cancel_return(
        &self,
        request: Request<order::CancelReturnRequest>,
    ) -> Answer<order::CancelReturnResponse> {
        self.settle_return(&request.into_inner().return_id, "cancelled", "");
        done()
    }

    async fn complete_return(
        &self,
        request: Request<order::CompleteReturnRequest>,
    ) -> Answer<order::CompleteReturnResponse> {
        let credit_note_number = "CN-000001".to_owned();
        self.settle_return(&request.into_inner().return_id, "completed", &credit_note_number);
        Ok(Response::new(order::CompleteReturnResponse { credit_note_number }))
    }
}
