//! What participants offer to sagas.

pub(crate) mod cart {
    use backstitch_core::Operation;
    use backstitch_proto::cart::*;

    pub(crate) const HOLD: Operation<HoldCartRequest, HoldCartResponse> = Operation::new("cart", "Hold");
    pub(crate) const FREE: Operation<FreeCartRequest, FreeCartResponse> = Operation::new("cart", "Free");
    pub(crate) const CLEAR: Operation<ClearCartRequest, ClearCartResponse> = Operation::new("cart", "Clear");
    pub(crate) const LET_GO: Operation<LetGoCartRequest, LetGoCartResponse> = Operation::new("cart", "LetGo");
}

pub(crate) mod inventory {
    use backstitch_core::Operation;
    use backstitch_proto::inventory::*;

    pub(crate) const RESERVE: Operation<ReserveRequest, ReserveResponse> =
        Operation::new("inventory", "Reserve");
    pub(crate) const RELEASE: Operation<ReleaseRequest, ReleaseResponse> =
        Operation::new("inventory", "Release");
    pub(crate) const COMMIT: Operation<CommitRequest, CommitResponse> = Operation::new("inventory", "Commit");
    pub(crate) const RESTOCK: Operation<RestockRequest, RestockResponse> =
        Operation::new("inventory", "Restock");
}

pub(crate) mod shipping {
    use backstitch_core::Operation;
    use backstitch_proto::shipping::*;

    pub(crate) const QUOTE: Operation<QuoteRequest, QuoteResponse> = Operation::new("shipping", "Quote");
    pub(crate) const CREATE: Operation<CreateShipmentRequest, CreateShipmentResponse> =
        Operation::new("shipping", "CreateShipment");
    pub(crate) const TAKE_BACK: Operation<TakeBackRequest, TakeBackResponse> =
        Operation::new("shipping", "TakeBack");
}

pub(crate) mod payment {
    use backstitch_core::Operation;
    use backstitch_proto::payment::*;

    pub(crate) const AUTHORIZE: Operation<AuthorizeRequest, AuthorizeResponse> =
        Operation::new("payment", "Authorize");
    pub(crate) const VOID: Operation<VoidRequest, VoidResponse> = Operation::new("payment", "Void");
    pub(crate) const CAPTURE: Operation<CaptureRequest, CaptureResponse> =
        Operation::new("payment", "Capture");
    pub(crate) const REFUND: Operation<RefundRequest, RefundResponse> = Operation::new("payment", "Refund");
    pub(crate) const TAKE_BACK_OBJECT: Operation<TakeBackObjectRequest, TakeBackObjectResponse> =
        Operation::new("payment", "TakeBackObject");
    pub(crate) const SETTLE_CASE: Operation<SettleCaseRequest, SettleCaseResponse> =
        Operation::new("payment", "SettleCase");
}

pub(crate) mod order {
    use backstitch_core::Operation;
    use backstitch_proto::order::*;

    pub(crate) const CREATE: Operation<CreateOrderRequest, CreateOrderResponse> =
        Operation::new("order", "Create");
    pub(crate) const CANCEL: Operation<CancelOrderRequest, CancelOrderResponse> =
        Operation::new("order", "Cancel");
    pub(crate) const CONFIRM: Operation<ConfirmOrderRequest, ConfirmOrderResponse> =
        Operation::new("order", "Confirm");
    pub(crate) const CREATE_RETURN: Operation<CreateReturnRequest, CreateReturnResponse> =
        Operation::new("order", "CreateReturn");
    pub(crate) const CANCEL_RETURN: Operation<CancelReturnRequest, CancelReturnResponse> =
        Operation::new("order", "CancelReturn");
    pub(crate) const COMPLETE_RETURN: Operation<CompleteReturnRequest, CompleteReturnResponse> =
        Operation::new("order", "CompleteReturn");
}

pub(crate) mod notification {
    use backstitch_core::Operation;
    use backstitch_proto::notification::*;

    pub(crate) const NOTIFY: Operation<NotifyRequest, NotifyResponse> =
        Operation::new("notification", "Notify");
}

pub(crate) mod noop {
    use backstitch_core::Operation;
    use backstitch_proto::noop::*;

    pub(crate) const ACT: Operation<ActRequest, ActResponse> = Operation::new("noop", "Act");
    pub(crate) const UNDO: Operation<UndoRequest, UndoResponse> = Operation::new("noop", "Undo");
}
